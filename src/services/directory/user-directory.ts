import { appendTo } from '../../core/append-to.js'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import type { Json, JsonObject } from '../../core/json/value.js'
import { profileFieldOfUsers } from '../../storage/tables/profiles.js'
import type { RedList } from '../red-list/red-list.js'
import { peopleKnownTo, roomNamesKnownTo } from '../../storage/tables/user-directory.js'
import type { Store } from '../../storage/tx.js'

/**
 * Finding people: those who share a room with the searcher, and those in public rooms.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#user-directory
 */
export interface UserDirectory {
  /**
   * By a part of the user id or of a name, whatever the case of the letters: that of the profile, and what a person is called in rooms that
   * the searcher shares with them or that are public. Users of this server are shown as their profile says.
   */
  search(searcher: string, term: string, limit: number): Promise<JsonObject>
}

const MAX_RESULTS = 50
/** People looked at in one turn of the event loop, and by one search. */
const PAGE = 200
/** Rooms whose names of a person are looked at. */
const NAMES_EACH = 5
const MAX_PEOPLE = 50_000

interface Person {
  readonly userId: string
  readonly name: string | undefined
  readonly avatarUrl: string | undefined
  /** What the person is called anywhere that the searcher may know of. */
  readonly names: readonly string[]
  readonly isHidden: boolean
}

const textOf = (value: Json | undefined): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined

export function createUserDirectory(deps: {
  readonly store: Store
  readonly serverName: string
  /** Users of this server who are not to be found. */
  readonly redList?: Pick<RedList, 'hiddenOf'> | undefined
}): UserDirectory {
  /** Those who come after `after`, as the searcher may know them. */
  function people(searcher: string, after: string): Promise<readonly Person[]> {
    return deps.store.read('userDirectory.search', function* () {
      const rows = yield* peopleKnownTo(searcher, after, PAGE)
      const ids = rows.map((row) => row.user_id)
      const local = ids.filter((userId) => serverNameOf(userId) === deps.serverName)
      const hidden = deps.redList === undefined ? new Set<string>() : yield* deps.redList.hiddenOf(local)
      const profiles = new Map<string, string | undefined>()
      for (const { user_id, field, value } of yield* profileFieldOfUsers(local, [
        'displayname',
        'avatar_url',
      ]))
        profiles.set(`${field} ${user_id}`, textOf(JSON.parse(value) as Json))
      const named = new Map<string, string[]>()
      for (const { user_id: userId, json } of yield* roomNamesKnownTo(searcher, ids, NAMES_EACH)) {
        const name = textOf(contentOf(json)['displayname'])
        if (name !== undefined) appendTo(named, userId, name)
      }
      return rows.map(({ user_id: userId, json }): Person => {
        const isLocal = serverNameOf(userId) === deps.serverName
        const content = isLocal ? {} : contentOf(json)
        const name = isLocal ? profiles.get(`displayname ${userId}`) : textOf(content['displayname'])
        const avatarUrl = isLocal ? profiles.get(`avatar_url ${userId}`) : textOf(content['avatar_url'])
        return {
          userId,
          name,
          avatarUrl,
          isHidden: hidden.has(userId),
          names: [...(name === undefined ? [] : [name]), ...(named.get(userId) ?? [])],
        }
      })
    })
  }

  return {
    async search(searcher, term, limit) {
      const wanted = Math.min(limit, MAX_RESULTS)
      const needle = folded(term.trim())
      const results: JsonObject[] = []
      let after = ''
      for (let seen = 0; seen < MAX_PEOPLE && results.length <= wanted; seen += PAGE) {
        const page = await people(searcher, after)
        // Compared here: the databases know the cases of different letters, SQLite of A to Z alone.
        for (const person of page) if (matches(person, needle)) results.push(shown(person))
        if (page.length < PAGE) break
        after = page.at(-1)!.userId
        await nextTurn()
      }
      return { results: results.slice(0, wanted), limited: results.length > wanted }
    },
  }
}

const contentOf = (json: string): Readonly<Record<string, Json>> =>
  (JSON.parse(json) as { content: Record<string, Json> }).content

const folded = (text: string): string => text.normalize('NFC').toLowerCase()

const matches = ({ userId, names, isHidden }: Person, needle: string): boolean =>
  !isHidden && (userId.toLowerCase().includes(needle) || names.some((name) => folded(name).includes(needle)))

const shown = ({ userId, name, avatarUrl }: Person): JsonObject => ({
  user_id: userId,
  ...(name === undefined ? {} : { display_name: name }),
  ...(avatarUrl === undefined ? {} : { avatar_url: avatarUrl }),
})
