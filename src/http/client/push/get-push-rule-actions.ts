import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3pushrulesglobalkindruleidactions */
export const getPushRuleActions = route({
  id: 'getPushRuleActions',
  method: 'GET',
  paths: v3('/pushrules/global/{kind}/{ruleId}/actions'),
  auth: 'user',
  rateLimit: 'read',
  async handler({ requester, params }, { ruleEditor }) {
    const { actions } = await ruleEditor.get(requester.userId, params['kind']!, params['ruleId']!)
    return { actions }
  },
})
