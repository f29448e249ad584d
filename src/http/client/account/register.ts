import { Type } from 'typebox'
import { MatrixError } from '../../../core/errors.js'
import type { RegistrationWish } from '../../../services/accounts/registration.js'
import { route, v3 } from '../../route.js'
import { given } from '../../validate.js'
import { AuthData, json } from '../auth-data.js'
import { requestToken } from '../session/request-token.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3register */
export const register = route({
  id: 'register',
  method: 'POST',
  paths: v3('/register'),
  auth: 'none',
  rateLimit: 'registration',
  maxBody: 64 * 1024,
  query: Type.Object({ kind: Type.Optional(Type.Union([Type.Literal('user'), Type.Literal('guest')])) }),
  body: Type.Object({
    type: Type.Optional(Type.String()),
    auth: AuthData,
    username: Type.Optional(Type.String()),
    password: Type.Optional(Type.String()),
    device_id: given(Type.String()),
    initial_device_display_name: given(Type.String()),
    inhibit_login: given(Type.Boolean()),
    refresh_token: given(Type.Boolean()),
    guest_access_token: Type.Optional(Type.String({ maxLength: 1_024 })),
  }),
  async handler({ query, body, request }, { accounts }) {
    const { registration } = accounts
    const deviceName = body.initial_device_display_name ?? undefined
    if (query.kind === 'guest') return await registration.registerGuest({ deviceName })
    const wish: RegistrationWish = {
      username: body.username,
      password: body.password,
      deviceId: body.device_id ?? undefined,
      deviceName,
      inhibitLogin: body.inhibit_login ?? false,
      canRefresh: body.refresh_token ?? false,
      guestToken: body.guest_access_token,
      auth: json(body.auth),
      ip: request.ip,
    }
    if (body.type !== 'm.login.application_service') return await registration.register(wish)
    const asToken = requestToken(request)
    if (asToken === undefined) throw new MatrixError('M_MISSING_TOKEN', 'Missing access token')
    return await registration.registerForAppservice(asToken, wish)
  },
})
