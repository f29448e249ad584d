import { Type } from 'typebox'
import { MAX_USERS_ASKED } from '../../../services/accounts/user-states.js'
import { route, unstable } from '../../route.js'
import { circleOnly } from './circle-only.js'

/** NOTSPEC: what Tchap's clients ask to mark accounts that nobody reads any more. Only where there is a node list. */
export const getUsersInfo = route({
  id: 'getUsersInfo',
  method: 'POST',
  paths: unstable('/users/info'),
  auth: 'user',
  rateLimit: 'read',
  body: Type.Object({
    user_ids: Type.Array(Type.String({ maxLength: 255 }), { maxItems: MAX_USERS_ASKED }),
  }),
  handler({ body }, { nodeList, userStates }) {
    circleOnly(nodeList)
    return userStates.of(body.user_ids)
  },
})
