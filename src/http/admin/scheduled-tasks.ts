import { Type } from 'typebox'
import { Short } from '../validate.js'
import { adminRoute } from './admin-route.js'

const STATUSES = ['scheduled', 'active', 'complete', 'cancelled', 'failed']

/** What takes long and was asked for by administrators, the latest first: under way, and for a week what has ended. */
export const adminScheduledTasks = adminRoute({
  id: 'adminScheduledTasks',
  method: 'GET',
  paths: ['/_synapse/admin/v1/scheduled_tasks'],
  rateLimit: 'read',
  query: Type.Object({
    action_name: Type.Optional(Short),
    resource_id: Type.Optional(Short),
    status: Type.Optional(Type.Enum(STATUSES)),
    max_timestamp: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
  }),
  async handler({ query }, { administration }) {
    const tasks = await administration.tasks.list({
      action: query.action_name,
      resource: query.resource_id,
      status: query.status,
      before: query.max_timestamp,
    })
    return {
      scheduled_tasks: tasks.map((task) => ({
        id: task.id,
        action: task.action,
        status: task.status,
        timestamp_ms: task.changedTs,
        resource_id: task.resource,
        result: task.result,
        error: task.error ?? null,
      })),
    }
  },
})
