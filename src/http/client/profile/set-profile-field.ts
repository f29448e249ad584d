import { missingParam } from '../../../core/errors.js'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3profileuseridkeyname */
export const setProfileField = route({
  id: 'setProfileField',
  method: 'PUT',
  paths: v3('/profile/{userId}/{keyName}'),
  auth: 'guest',
  rateLimit: 'write',
  maxBody: 128 * 1024,
  body: 'object',
  async handler({ requester, params, body }, { profile }) {
    const field = params['keyName']!
    const value = Object.hasOwn(body, field) ? body[field] : undefined
    if (value === undefined) throw missingParam(`Missing parameter: ${field.slice(0, 255)}`)
    await profile.setField(requester, params['userId']!, field, value)
    return {}
  },
})
