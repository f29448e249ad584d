import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

const ruleId = Type.Optional(Type.String({ maxLength: 255 }))

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#put_matrixclientv3pushrulesglobalkindruleid */
export const setPushRule = route({
  id: 'setPushRule',
  method: 'PUT',
  paths: v3('/pushrules/global/{kind}/{ruleId}'),
  auth: 'user',
  rateLimit: 'write',
  query: Type.Object({ before: ruleId, after: ruleId }),
  body: 'object',
  maxBody: 64 * 1024,
  async handler({ requester, params, query, body }, { ruleEditor }) {
    await ruleEditor.put(requester.userId, params['kind']!, params['ruleId']!, body, query)
    return {}
  },
})
