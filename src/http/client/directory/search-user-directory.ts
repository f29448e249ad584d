import { Type } from 'typebox'
import { route, v3 } from '../../route.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3userdirectorysearch */
export const searchUserDirectory = route({
  id: 'searchUserDirectory',
  method: 'POST',
  paths: v3('/user_directory/search'),
  auth: 'user',
  rateLimit: 'directory',
  body: Type.Object({
    search_term: Type.String({ maxLength: 255 }),
    limit: Type.Optional(Type.Integer({ minimum: 1 })),
  }),
  handler: ({ requester, body }, { userDirectory }) =>
    userDirectory.search(requester.userId, body.search_term, body.limit ?? 10),
})
