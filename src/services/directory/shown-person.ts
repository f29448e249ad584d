import type { FoundPerson } from '../../core/directory/person.js'
import type { JsonObject } from '../../core/json/value.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3user_directorysearch (a result) */
export const shownPerson = ({ userId, name, avatarUrl }: FoundPerson): JsonObject => ({
  user_id: userId,
  ...(name === undefined ? {} : { display_name: name }),
  ...(avatarUrl === undefined ? {} : { avatar_url: avatarUrl }),
})
