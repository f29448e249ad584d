import type { JsonObject } from '../../../core/json/value.js'
import { Type, type Static } from 'typebox'
import { Short } from '../../validate.js'

/** What joins and knocks have in common. `server_name` is what `via` was called. */
const servers = Type.Optional(Type.Array(Type.String(), { maxItems: 50 }))
export const JoinQuery = Type.Object({ via: servers, server_name: servers })
export const JoinBody = Type.Object({ reason: Type.Optional(Type.String({ maxLength: 4096 })) })
/** For joins: an identity server's word that the user has an address that was invited. */
export const SignedJoinBody = Type.Object({
  ...JoinBody.properties,
  third_party_signed: Type.Optional(
    Type.Object({ sender: Short, mxid: Short, token: Short, signatures: Type.Object({}) }),
  ),
})

/** Members of the body that are not of the member event's own. */
const NOT_CONTENT = new Set([
  'reason',
  'third_party_signed',
  'membership',
  'join_authorised_via_users_server',
  'displayname',
  'avatar_url',
])

interface JoinTarget {
  readonly room: string
  readonly via: readonly string[]
  readonly reason: string | undefined
  readonly thirdPartySigned?: JsonObject
  /** NOTSPEC: what else the body holds stands in the member event, as other servers do; games and bridges mark joins so. */
  readonly content?: JsonObject
}

export const joinTarget = (
  room: string,
  query: Static<typeof JoinQuery>,
  body: Static<typeof SignedJoinBody>,
): JoinTarget => {
  const further = Object.entries(body as JsonObject).filter(([key]) => !NOT_CONTENT.has(key))
  return {
    room,
    via: query.via ?? query.server_name ?? [],
    reason: body.reason,
    ...(body.third_party_signed === undefined
      ? {}
      : { thirdPartySigned: body.third_party_signed as unknown as JsonObject }),
    ...(further.length === 0 ? {} : { content: Object.fromEntries(further) }),
  }
}
