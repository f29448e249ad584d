import { pushRulesContent } from '../../../services/push/push-rules.js'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3pushrules */
export const getPushRules = route({
  id: 'getPushRules',
  method: 'GET',
  paths: [...v3('/pushrules/'), ...v3('/pushrules')],
  auth: 'user',
  rateLimit: 'read',
  async handler({ requester }, { pushRules }) {
    return pushRulesContent(await pushRules.of(requester.userId))
  },
})
