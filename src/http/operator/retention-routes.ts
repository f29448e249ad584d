import { Type } from 'typebox'
import { OPERATOR } from '../../core/audit/acts.js'
import { route, type Route } from '../route.js'
import { Short } from '../validate.js'

const post = (action: string) =>
  ({ method: 'POST', paths: [`/operator/retention/${action}`], auth: 'none', maxBody: 64 * 1024 }) as const

const Kind = Type.Enum(['room', 'user'])
const Positive = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })

const hold = route({
  ...post('hold'),
  id: 'operatorHold',
  body: Type.Object({ kind: Kind, target: Short, reason: Type.String({ maxLength: 1_000 }) }),
  async handler({ body }, { retention }) {
    await retention.holds.hold(body.kind, body.target, body.reason, OPERATOR)
    return {}
  },
})

const lift = route({
  ...post('lift'),
  id: 'operatorLiftHold',
  body: Type.Object({ kind: Kind, target: Short }),
  async handler({ body }, { retention }) {
    await retention.holds.lift(body.kind, body.target, OPERATOR)
    return {}
  },
})

const holds = route({
  ...post('holds'),
  id: 'operatorListHolds',
  handler: async (_call, { retention }) => ({ holds: await retention.holds.list() }),
})

const records = route({
  ...post('records'),
  id: 'operatorListPurges',
  body: Type.Object({ limit: Positive, before: Type.Optional(Positive) }),
  handler: async ({ body }, { retention }) => ({
    records: await retention.records(body.before ?? Number.MAX_SAFE_INTEGER, body.limit),
  }),
})

const purge = route({
  ...post('purge'),
  id: 'operatorPurge',
  async handler(_call, { retention }) {
    const { rooms, media } = await retention.run()
    return { rooms: rooms.length, events: rooms.reduce((sum, room) => sum + room.events, 0), media }
  },
})

export const retentionRoutes: readonly Route[] = [hold, lift, holds, records, purge]
