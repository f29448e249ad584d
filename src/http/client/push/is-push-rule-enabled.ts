import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3pushrulesglobalkindruleidenabled */
export const isPushRuleEnabled = route({
  id: 'isPushRuleEnabled',
  method: 'GET',
  paths: v3('/pushrules/global/{kind}/{ruleId}/enabled'),
  auth: 'user',
  rateLimit: 'read',
  async handler({ requester, params }, { ruleEditor }) {
    const { enabled } = await ruleEditor.get(requester.userId, params['kind']!, params['ruleId']!)
    return { enabled }
  },
})
