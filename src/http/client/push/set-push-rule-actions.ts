import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3pushrulesglobalkindruleidactions */
export const setPushRuleActions = route({
  id: 'setPushRuleActions',
  method: 'PUT',
  paths: v3('/pushrules/global/{kind}/{ruleId}/actions'),
  auth: 'user',
  rateLimit: 'write',
  body: 'object',
  maxBody: 64 * 1024,
  async handler({ requester, params, body }, { ruleEditor }) {
    await ruleEditor.setActions(requester.userId, params['kind']!, params['ruleId']!, body['actions'])
    return {}
  },
})
