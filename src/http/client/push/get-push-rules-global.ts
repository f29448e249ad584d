import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3pushrulesglobal */
export const getPushRulesGlobal = route({
  id: 'getPushRulesGlobal',
  method: 'GET',
  paths: [...v3('/pushrules/global/'), ...v3('/pushrules/global')],
  auth: 'user',
  rateLimit: 'read',
  async handler({ requester }, { pushRules }) {
    return pushRules.of(requester.userId)
  },
})
