import { Type } from 'typebox'
import { MAX_USERS_ASKED } from '../../../services/accounts/user-states.js'
import { membersOnly } from '../../client/ministry/circle-only.js'
import { route } from '../../route.js'

/** How accounts of this server are, for a member whose people see their names. NOTSPEC: the twin of `getUsersInfo`. */
export const queryUsersInfo = route({
  id: 'queryUsersInfo',
  method: 'POST',
  paths: ['/_matrix/federation/unstable/users/info'],
  auth: 'server',
  rateLimit: 'federation',
  body: Type.Object({
    user_ids: Type.Array(Type.String({ maxLength: 255 }), { maxItems: MAX_USERS_ASKED }),
  }),
  handler({ origin, body }, { nodeList, userStates }) {
    membersOnly(nodeList, origin)
    return userStates.ofLocal(body.user_ids)
  },
})
