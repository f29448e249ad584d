import { Type } from 'typebox'
import { isUserId } from '../../../core/ids/user-id.js'
import { invalidParam } from '../../../core/errors.js'
import { route, unstable } from '../../route.js'

const PATH = '/org.chancery/account_move'

/** NOTSPEC: whether the caller's account moves to another ministry, and how far that is; `step` is `asked` where they are to say yes. */
export const getAccountMove = route({
  id: 'getAccountMove',
  method: 'GET',
  paths: unstable(PATH),
  auth: 'user',
  rateLimit: 'read',
  async handler({ requester }, { accountMoves }) {
    const { newUser, step, notAfter, rooms, remarks } = await accountMoves.own(requester.userId)
    return {
      new_user: newUser,
      step,
      not_after: notAfter,
      rooms,
      remarks: remarks.map(({ roomId, words }) => ({ room_id: roomId, reason: words })),
    }
  },
})

/** NOTSPEC: the caller wants their account to move as it was asked; `new_user` says again where to, so that nobody agrees to something else. */
export const consentToAccountMove = route({
  id: 'consentToAccountMove',
  method: 'POST',
  paths: unstable(`${PATH}/consent`),
  auth: 'user',
  rateLimit: 'write',
  body: Type.Object({ new_user: Type.String({ maxLength: 255 }) }),
  async handler({ requester, body }, { accountMoves }) {
    if (!isUserId(body.new_user)) throw invalidParam('new_user is not a user id')
    await accountMoves.consent(requester.userId, body.new_user)
    return {}
  },
})

/** NOTSPEC: the caller does not want it, or no more. */
export const declineAccountMove = route({
  id: 'declineAccountMove',
  method: 'POST',
  paths: unstable(`${PATH}/decline`),
  auth: 'user',
  rateLimit: 'write',
  async handler({ requester }, { accountMoves }) {
    await accountMoves.decline(requester.userId)
    return {}
  },
})
