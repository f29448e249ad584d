import { Type } from 'typebox'
import { PEOPLE_PATH } from '../../services/directory/member-people.js'
import { MatrixError } from '../../core/errors.js'
import { route } from '../route.js'

/** NOTSPEC: nodes of one circle find each other's people; each answers for its own alone. */
export const searchPeople = route({
  id: 'searchPeople',
  method: 'POST',
  paths: [PEOPLE_PATH],
  auth: 'server',
  rateLimit: 'member_search',
  body: Type.Object({
    search_term: Type.String({ maxLength: 255 }),
    limit: Type.Optional(Type.Integer({ minimum: 1 })),
  }),
  handler({ origin, body }, { memberPeople }) {
    if (memberPeople === undefined)
      throw new MatrixError('M_UNRECOGNIZED', 'This server searches no people for others', {}, 404)
    return memberPeople.serve(origin, body.search_term, body.limit ?? 10)
  },
})
