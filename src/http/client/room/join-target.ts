import { Type, type Static } from 'typebox'

/** What joins and knocks have in common. `server_name` is what `via` was called. */
const servers = Type.Optional(Type.Array(Type.String(), { maxItems: 50 }))
export const JoinQuery = Type.Object({ via: servers, server_name: servers })
export const JoinBody = Type.Object({ reason: Type.Optional(Type.String({ maxLength: 4096 })) })

export const joinTarget = (
  room: string,
  query: Static<typeof JoinQuery>,
  body: Static<typeof JoinBody>,
): { readonly room: string; readonly via: readonly string[]; readonly reason: string | undefined } => ({
  room,
  via: query.via ?? query.server_name ?? [],
  reason: body.reason,
})
