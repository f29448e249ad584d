import { Type } from 'typebox'
import { adminActor } from '../../core/audit/acts.js'
import type { HoldKind } from '../../services/retention/legal-holds.js'
import type { Route } from '../route.js'
import { adminRoute } from './admin-route.js'

const ROOT = '/_chancery/admin/v1'
const Reason = Type.String({ minLength: 1, maxLength: 1_000 })

/** NOTSPEC: what is kept though its time is over: `room` or `user`, its id, why, by whom and since when. */
export const adminListLegalHolds = adminRoute({
  id: 'adminListLegalHolds',
  method: 'GET',
  paths: [`${ROOT}/legal_holds`],
  rateLimit: 'read',
  handler: async (_call, { retention }) => ({ holds: await retention.holds.list() }),
})

/** Nothing of the room or the user is deleted from then on. Refused for what is held already, so that nobody's reason is lost. */
const hold = (id: string, kind: HoldKind, path: string, param: string): Route =>
  adminRoute({
    id,
    method: 'PUT',
    paths: [path],
    rateLimit: 'write',
    body: Type.Object({ reason: Reason }),
    async handler({ requester, params, body }, { retention }) {
      await retention.holds.hold(kind, params[param]!, body.reason, adminActor(requester.userId))
      return {}
    },
  })

/** What was held goes with the next purge. */
const lift = (id: string, kind: HoldKind, path: string, param: string): Route =>
  adminRoute({
    id,
    method: 'DELETE',
    paths: [path],
    rateLimit: 'write',
    async handler({ requester, params }, { retention }) {
      await retention.holds.lift(kind, params[param]!, adminActor(requester.userId))
      return {}
    },
  })

const ROOM = `${ROOT}/rooms/{roomId}/legal_hold`
const USER = `${ROOT}/users/{userId}/legal_hold`

/** NOTSPEC: as the command line has them (docs/ministries.md). */
export const legalHoldRoutes: readonly Route[] = [
  adminListLegalHolds,
  hold('adminHoldRoom', 'room', ROOM, 'roomId'),
  lift('adminLiftRoomHold', 'room', ROOM, 'roomId'),
  hold('adminHoldUser', 'user', USER, 'userId'),
  lift('adminLiftUserHold', 'user', USER, 'userId'),
]
