import { Type } from 'typebox'
import type { JsonObject } from '../../core/json/value.js'
import { route, type Route } from '../route.js'
import { Short } from '../validate.js'

/** Identity servers do not sign their requests. Some of them say POST. */
const onBind = (id: string, method: 'PUT' | 'POST'): Route =>
  route({
    id,
    method,
    paths: ['/_matrix/federation/v1/3pid/onbind'],
    auth: 'none',
    rateLimit: 'registration',
    maxBody: 256 * 1024,
    numbers: 'exact',
    body: Type.Object({
      medium: Short,
      address: Short,
      mxid: Short,
      invites: Type.Array(
        Type.Object({
          medium: Short,
          address: Short,
          mxid: Short,
          room_id: Short,
          sender: Short,
          signed: Type.Record(Type.String(), Type.Unknown()),
        }),
        { maxItems: 100 },
      ),
    }),
    async handler({ body }, { thirdPartyInvites }) {
      await thirdPartyInvites.onBind({
        mxid: body.mxid,
        invites: body.invites.map((invite) => ({ ...invite, signed: invite.signed as JsonObject })),
      })
      return {}
    },
  })

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv13pidonbind */
export const onBindThirdPartyIdentifier = onBind('onBindThirdPartyIdentifier', 'PUT')
export const onBindThirdPartyIdentifierByPost = onBind('onBindThirdPartyIdentifierByPost', 'POST')
