import { Type } from 'typebox'
import type { JsonObject } from '../../core/json/value.js'
import { route } from '../route.js'

/** NOTSPEC: a member node has purged a room, and wants a signed receipt that it is gone here too. */
export const reportPurge = route({
  id: 'reportPurge',
  method: 'POST',
  paths: ['/_matrix/federation/unstable/org.chancery/purge'],
  auth: 'server',
  rateLimit: 'federation',
  maxBody: 65_536,
  numbers: 'exact',
  body: Type.Object({ record: Type.Unsafe<JsonObject>(Type.Object({})) }),
  handler: async ({ origin, body }, { retention }) => ({
    receipt: await retention.notices.receive(origin, body.record),
  }),
})
