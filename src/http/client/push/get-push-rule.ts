import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3pushrulesglobalkindruleid */
export const getPushRule = route({
  id: 'getPushRule',
  method: 'GET',
  paths: v3('/pushrules/global/{kind}/{ruleId}'),
  auth: 'user',
  rateLimit: 'read',
  handler: ({ requester, params }, { ruleEditor }) =>
    ruleEditor.get(requester.userId, params['kind']!, params['ruleId']!),
})
