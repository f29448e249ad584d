import { Type } from 'typebox'
import { route, type Route } from '../route.js'
import { Short } from '../validate.js'

const post = (action: string) =>
  ({
    method: 'POST',
    paths: [`/operator/account-moves/${action}`],
    auth: 'none',
    maxBody: 64 * 1024,
  }) as const

const Two = { oldUser: Short, newUser: Short }

const report = route({
  ...post('report'),
  id: 'operatorReportMove',
  body: Type.Object(Two),
  handler: async ({ body }, { accountMoves }) => ({
    ...(await accountMoves.report(body.oldUser, body.newUser)),
  }),
})

const send = route({
  ...post('send'),
  id: 'operatorSendAccount',
  body: Type.Object({ ...Two, reason: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })) }),
  async handler({ body }, { accountMoves }) {
    await accountMoves.order({ oldUser: body.oldUser, newUser: body.newUser, reason: body.reason })
    return {}
  },
})

const receive = route({
  ...post('receive'),
  id: 'operatorReceiveAccount',
  body: Type.Object(Two),
  async handler({ body }, { accountMoves }) {
    await accountMoves.expect(body.oldUser, body.newUser)
    return {}
  },
})

const status = route({
  ...post('status'),
  id: 'operatorMoveStatus',
  body: Type.Object({ user: Type.Optional(Short) }),
  handler: async ({ body }, { accountMoves }) => ({ moves: await accountMoves.status(body.user) }),
})

const cancel = route({
  ...post('cancel'),
  id: 'operatorCancelMove',
  body: Type.Object({ user: Short }),
  async handler({ body }, { accountMoves }) {
    await accountMoves.cancel(body.user)
    return {}
  },
})

export const accountMoveRoutes: readonly Route[] = [report, send, receive, status, cancel]
