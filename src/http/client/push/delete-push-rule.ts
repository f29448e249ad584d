import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#delete_matrixclientv3pushrulesglobalkindruleid */
export const deletePushRule = route({
  id: 'deletePushRule',
  method: 'DELETE',
  paths: v3('/pushrules/global/{kind}/{ruleId}'),
  auth: 'user',
  rateLimit: 'write',
  async handler({ requester, params }, { ruleEditor }) {
    await ruleEditor.remove(requester.userId, params['kind']!, params['ruleId']!)
    return {}
  },
})
