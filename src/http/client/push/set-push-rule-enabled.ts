import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3pushrulesglobalkindruleidenabled */
export const setPushRuleEnabled = route({
  id: 'setPushRuleEnabled',
  method: 'PUT',
  paths: v3('/pushrules/global/{kind}/{ruleId}/enabled'),
  auth: 'user',
  rateLimit: 'write',
  body: Type.Object({ enabled: Type.Boolean() }),
  async handler({ requester, params, body }, { ruleEditor }) {
    await ruleEditor.setEnabled(requester.userId, params['kind']!, params['ruleId']!, body.enabled)
    return {}
  },
})
