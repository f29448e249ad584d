import type { Json, JsonObject } from '../../core/json/value.js'
import { all, type Store } from '../../storage/tx.js'

/**
 * Finding people: those who share a room with the searcher, and those in public rooms.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#user-directory
 */
export interface UserDirectory {
  search(searcher: string, term: string, limit: number): Promise<JsonObject>
}

const MAX_RESULTS = 50

/** `%` and `_` in what people type are not wildcards. */
const likePattern = (term: string): string => `%${term.replaceAll(/[\\%_]/g, (char) => `\\${char}`)}%`

export function createUserDirectory(deps: { readonly store: Store }): UserDirectory {
  return {
    async search(searcher, term, limit) {
      const wanted = Math.min(limit, MAX_RESULTS)
      const pattern = likePattern(term.trim().toLowerCase())
      const rows = await deps.store.read('userDirectory.search', () =>
        all<{ user_id: string; content: string }>(
          `SELECT o.user_id, MAX(e.json) AS content FROM memberships o
           JOIN events e ON e.nid = o.event_nid
           WHERE o.membership = 'join' AND o.user_id <> ? AND LOWER(o.user_id || ' ' || e.json) LIKE ? ESCAPE '\\'
             AND o.room_nid IN (
               SELECT m.room_nid FROM memberships m WHERE m.user_id = ? AND m.membership = 'join'
               UNION SELECT r.nid FROM rooms r WHERE r.published = 1)
           GROUP BY o.user_id ORDER BY o.user_id LIMIT ?`,
          searcher,
          pattern,
          searcher,
          wanted * 4 + 1,
        ),
      )
      const needle = term.trim().toLowerCase()
      const results: JsonObject[] = []
      for (const row of rows) {
        const { displayname, avatar_url: avatarUrl } = (
          JSON.parse(row.content) as { content: Record<string, Json> }
        ).content
        // The query looks at the whole event; what counts is the name and the id.
        const name = typeof displayname === 'string' ? displayname : ''
        if (!row.user_id.toLowerCase().includes(needle) && !name.toLowerCase().includes(needle)) continue
        results.push({
          user_id: row.user_id,
          ...(name === '' ? {} : { display_name: name }),
          ...(typeof avatarUrl === 'string' ? { avatar_url: avatarUrl } : {}),
        })
      }
      return { results: results.slice(0, wanted), limited: results.length > wanted }
    },
  }
}
