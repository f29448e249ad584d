import { appendTo } from '../../core/append-to.js'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { folded, isMatch } from '../../core/directory/person.js'
import type { RankedPerson } from '../../core/directory/rank-people.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import type { Json, JsonObject } from '../../core/json/value.js'
import { profileFieldOfUsers } from '../../storage/tables/profiles.js'
import type { RedList } from '../red-list/red-list.js'
import { peopleKnownTo, roomNamesKnownTo } from '../../storage/tables/user-directory.js'
import { shownPerson } from './shown-person.js'
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

export const MAX_RESULTS = 50
/** People looked at in one turn of the event loop, and by one search. */
const PAGE = 200
/** Rooms whose names of a person are looked at. */
const NAMES_EACH = 5
const MAX_PEOPLE = 50_000

/** The same search for others to go on with, in the order of user ids. */
export interface KnownPeople {
  find(
    searcher: string,
    term: string,
    wanted: number,
  ): Promise<{ readonly people: readonly RankedPerson[]; readonly isCut: boolean }>
}

interface Person extends RankedPerson {
  /** What the person is called anywhere that the searcher may know of. */
  readonly names: readonly string[]
  readonly isHidden: boolean
}

const textOf = (value: Json | undefined): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined

export function createKnownPeople(deps: {
  readonly store: Store
  readonly serverName: string
  /** Users of this server who are not to be found. */
  readonly redList?: Pick<RedList, 'hiddenOf'> | undefined
}): KnownPeople {
  /** Those who come after `after`, as the searcher may know them. */
  function peopleAfter(searcher: string, after: string): Promise<readonly Person[]> {
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
      return rows.map(({ user_id: userId, json, shares }): Person => {
        const isLocal = serverNameOf(userId) === deps.serverName
        const content = isLocal ? {} : contentOf(json)
        const name = isLocal ? profiles.get(`displayname ${userId}`) : textOf(content['displayname'])
        const avatarUrl = isLocal ? profiles.get(`avatar_url ${userId}`) : textOf(content['avatar_url'])
        return {
          userId,
          name,
          avatarUrl,
          isKnown: shares === 1,
          isHidden: hidden.has(userId),
          names: [...(name === undefined ? [] : [name]), ...(named.get(userId) ?? [])],
        }
      })
    })
  }

  return {
    async find(searcher, term, wanted) {
      const needle = folded(term.trim())
      const people: Person[] = []
      let after = ''
      for (let seen = 0; seen < MAX_PEOPLE && people.length <= wanted; seen += PAGE) {
        const page = await peopleAfter(searcher, after)
        // Compared here: the databases know the cases of different letters, SQLite of A to Z alone.
        for (const person of page)
          if (!person.isHidden && isMatch(person.userId, person.names, needle)) people.push(person)
        if (page.length < PAGE) break
        after = page.at(-1)!.userId
        await nextTurn()
      }
      return { people: people.slice(0, wanted), isCut: people.length > wanted }
    },
  }
}

export function createUserDirectory(known: KnownPeople): UserDirectory {
  return {
    async search(searcher, term, limit) {
      const { people, isCut } = await known.find(searcher, term, Math.min(limit, MAX_RESULTS))
      return { results: people.map(shownPerson), limited: isCut }
    },
  }
}

const contentOf = (json: string): Readonly<Record<string, Json>> =>
  (JSON.parse(json) as { content: Record<string, Json> }).content
