import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

const membership = Type.Optional(
  Type.Union(['join', 'invite', 'knock', 'leave', 'ban'].map((value) => Type.Literal(value))),
)

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3roomsroomidmembers */
export const getMembersByRoom = route({
  id: 'getMembersByRoom',
  method: 'GET',
  paths: v3('/rooms/{roomId}/members'),
  auth: 'guest',
  rateLimit: 'read',
  query: Type.Object({ at: Type.Optional(Type.String()), membership, not_membership: membership }),
  async handler({ requester, params, query }, { history }) {
    const chunk = await history.members(requester, params['roomId']!, {
      at: query.at,
      membership: query.membership,
      notMembership: query.not_membership,
    })
    return { chunk }
  },
})
