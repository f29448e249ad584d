import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Json, JsonObject } from '../../core/json/value.js'
import { peopleKnownTo, type PersonRow } from '../../storage/tables/user-directory.js'
import type { Store } from '../../storage/tx.js'

/**
 * Finding people: those who share a room with the searcher, and those in public rooms.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#user-directory
 */
export interface UserDirectory {
  /** By a part of the user id or of the display name, whatever the case of the letters. */
  search(searcher: string, term: string, limit: number): Promise<JsonObject>
}

const MAX_RESULTS = 50
/** People looked at in one turn of the event loop, and by one search. */
const PAGE = 500
const MAX_PEOPLE = 50_000

export function createUserDirectory(deps: { readonly store: Store }): UserDirectory {
  return {
    async search(searcher, term, limit) {
      const wanted = Math.min(limit, MAX_RESULTS)
      const needle = folded(term.trim())
      const results: JsonObject[] = []
      let after = ''
      for (let seen = 0; seen < MAX_PEOPLE && results.length <= wanted; seen += PAGE) {
        const rows = await deps.store.read('userDirectory.search', () => peopleKnownTo(searcher, after, PAGE))
        // Compared here: the databases know the cases of different letters, SQLite of A to Z alone.
        for (const row of rows) {
          const result = match(row, needle)
          if (result !== undefined) results.push(result)
        }
        if (rows.length < PAGE) break
        after = rows.at(-1)!.user_id
        await nextTurn()
      }
      return { results: results.slice(0, wanted), limited: results.length > wanted }
    },
  }
}

const folded = (text: string): string => text.normalize('NFC').toLowerCase()

function match(row: PersonRow, needle: string): JsonObject | undefined {
  const { content } = JSON.parse(row.json) as { content: Record<string, Json> }
  const { displayname, avatar_url: avatarUrl } = content
  const name = typeof displayname === 'string' ? displayname : ''
  if (!row.user_id.toLowerCase().includes(needle) && !folded(name).includes(needle)) return undefined
  return {
    user_id: row.user_id,
    ...(name === '' ? {} : { display_name: name }),
    ...(typeof avatarUrl === 'string' ? { avatar_url: avatarUrl } : {}),
  }
}
