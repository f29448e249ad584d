import { Type } from 'typebox'
import type { JsonObject } from '../../../core/json/value.js'
import { route, v3 } from '../../route.js'
import { given } from '../../validate.js'
import { requestToken } from './request-token.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3login */
export const login = route({
  id: 'login',
  method: 'POST',
  paths: v3('/login'),
  auth: 'none',
  rateLimit: 'login',
  maxBody: 64 * 1024,
  body: Type.Object({
    type: Type.String(),
    device_id: given(Type.String()),
    initial_device_display_name: given(Type.String()),
    refresh_token: given(Type.Boolean()),
  }),
  async handler({ body, request }, { accounts, nodeInfo }) {
    const answer = await accounts.login.login({
      type: body.type,
      credentials: body as unknown as JsonObject,
      deviceId: body.device_id ?? undefined,
      deviceName: body.initial_device_display_name ?? undefined,
      canRefresh: body.refresh_token ?? false,
      bearer: requestToken(request),
      ip: request.ip,
    })
    const wellKnown = nodeInfo.wellKnownClient()
    return wellKnown === undefined ? answer : { ...answer, well_known: wellKnown }
  },
})
