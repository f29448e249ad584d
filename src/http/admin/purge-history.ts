import { Type } from 'typebox'
import { given, Short } from '../validate.js'
import { adminRoute } from './admin-route.js'

const path = '/_synapse/admin/v1/purge_history/{roomId}'

/** Takes the content of what was said in a room up to a point, in the background. */
export const adminPurgeHistory = adminRoute({
  id: 'adminPurgeHistory',
  method: 'POST',
  paths: [path, `${path}/{eventId}`],
  rateLimit: 'write',
  body: Type.Object({
    delete_local_events: given(Type.Boolean()),
    purge_up_to_event_id: given(Short),
    purge_up_to_ts: given(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
  }),
  handler: async ({ requester, params, body }, { administration }) => ({
    purge_id: await administration.historyPurge.start(requester.userId, params['roomId']!, {
      eventId: params['eventId'] ?? body.purge_up_to_event_id ?? undefined,
      beforeTs: body.purge_up_to_ts ?? undefined,
      deleteLocal: body.delete_local_events ?? false,
    }),
  }),
})

/** How far it is. */
export const adminPurgeHistoryStatus = adminRoute({
  id: 'adminPurgeHistoryStatus',
  method: 'GET',
  paths: ['/_synapse/admin/v1/purge_history_status/{purgeId}'],
  rateLimit: 'read',
  handler: ({ params }, { administration }) => administration.historyPurge.status(params['purgeId']!),
})
