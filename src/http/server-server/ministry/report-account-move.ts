import { Type } from 'typebox'
import { route } from '../../route.js'

/** NOTSPEC: the other node of a move says that it has the bundle, or that it has done what it could. */
export const reportAccountMove = route({
  id: 'reportAccountMove',
  method: 'POST',
  paths: ['/_matrix/federation/unstable/org.chancery/account_move/progress'],
  auth: 'server',
  rateLimit: 'federation',
  maxBody: 16_384,
  body: Type.Object({
    nonce: Type.String({ maxLength: 64 }),
    step: Type.Enum(['received', 'finished']),
  }),
  async handler({ origin, body }, { accountMoves }) {
    await accountMoves.progress(origin, body.nonce, body.step)
    return {}
  },
})
