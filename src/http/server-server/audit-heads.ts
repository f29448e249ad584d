import { Type } from 'typebox'
import type { JsonObject } from '../../core/json/value.js'
import { route } from '../route.js'

const paths = ['/_matrix/federation/unstable/org.chancery/audit/head']

/** NOTSPEC: a member node leaves the signed head of its audit log here, with what shows that it goes on from the last one. */
export const depositAuditHead = route({
  id: 'depositAuditHead',
  method: 'PUT',
  paths,
  auth: 'server',
  rateLimit: 'federation',
  maxBody: 256 * 1024,
  numbers: 'exact',
  body: Type.Object({
    head: Type.Unsafe<JsonObject>(Type.Object({})),
    digests: Type.Array(Type.String({ pattern: '^[0-9a-f]{64}$' }), { maxItems: 1_000 }),
  }),
  async handler({ origin, body }, { auditDeposits }) {
    await auditDeposits.kept.deposit(origin, body.head, body.digests)
    return {}
  },
})

/** NOTSPEC: what the server that asks has deposited, as it signed it. */
export const getAuditHead = route({
  id: 'getAuditHead',
  method: 'GET',
  paths,
  auth: 'server',
  rateLimit: 'federation',
  handler: ({ origin }, { auditDeposits }) => auditDeposits.kept.depositOf(origin),
})
