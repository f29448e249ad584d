import { setImmediate as nextTurn } from 'node:timers/promises'
import { folded, isMatch, type FoundPerson } from '../../core/directory/person.js'
import { rankPeople } from '../../core/directory/rank-people.js'
import type { PeopleAnswer } from '../../core/directory/read-people.js'
import type { Json } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import { findableAmong, findablePage } from '../../storage/tables/findable-people.js'
import { profileFieldOfUsers } from '../../storage/tables/profiles.js'
import type { Store } from '../../storage/tx.js'
import type { RedList } from '../red-list/red-list.js'

/** All people of this node, whether or not somebody shares a room with them. */
export interface OwnPeople {
  /** Accounts of people that are in use and do not hide, the best first. */
  search(term: string, limit: number): Promise<PeopleAnswer>
}

interface Candidate {
  readonly userId: string
  readonly name: string | undefined
}

/** Accounts read in one turn, and at all: a node has not many more. */
const PAGE = 1_000
const MAX_ACCOUNTS = 300_000
/** Those of which it is looked up whether they are still so. */
const MAX_RANKED = 2_000
const CHECKED = 100
/** The list of names lives so many times as long as it took to make, which bounds what it costs, and a minute at the most. */
const LIFE_FACTOR = 50
const MAX_LIFE = 60_000

const textOf = (value: string | null): string | undefined => {
  const text = value === null ? undefined : (JSON.parse(value) as Json)
  return typeof text === 'string' && text !== '' ? text : undefined
}

export function createOwnPeople(deps: {
  readonly store: Store
  readonly clock: Clock
  readonly redList: Pick<RedList, 'hiddenOf'> | undefined
}): OwnPeople {
  const { store, clock, redList } = deps
  let names: { readonly list: readonly Candidate[]; readonly until: number } | undefined
  let reading: Promise<readonly Candidate[]> | undefined

  async function readNames(): Promise<readonly Candidate[]> {
    const started = clock.monotonic()
    const list: Candidate[] = []
    for (let after = ''; list.length < MAX_ACCOUNTS;) {
      const page = await store.read('directory.names', () => findablePage(after, PAGE))
      for (const row of page) list.push({ userId: row.user_id, name: textOf(row.displayname) })
      if (page.length < PAGE) break
      after = page.at(-1)!.user_id
      await nextTurn()
    }
    const now = clock.monotonic()
    names = { list, until: now + Math.min(MAX_LIFE, LIFE_FACTOR * (now - started)) }
    return list
  }

  function candidates(): Promise<readonly Candidate[]> {
    if (names !== undefined && names.until > clock.monotonic()) return Promise.resolve(names.list)
    reading ??= readNames().finally(() => (reading = undefined))
    return reading
  }

  /** Those of some candidates who are to be found at this moment, as they are called now. */
  const present = (userIds: readonly string[]): Promise<readonly FoundPerson[]> =>
    store.read('directory.present', function* () {
      const hidden = redList === undefined ? new Set<string>() : yield* redList.hiddenOf(userIds)
      const there = (yield* findableAmong(userIds)).filter((userId) => !hidden.has(userId))
      const fields = new Map<string, string | undefined>()
      for (const row of yield* profileFieldOfUsers(there, ['displayname', 'avatar_url']))
        fields.set(`${row.field} ${row.user_id}`, textOf(row.value))
      return there.map((userId) => ({
        userId,
        name: fields.get(`displayname ${userId}`),
        avatarUrl: fields.get(`avatar_url ${userId}`),
      }))
    })

  return {
    async search(term, limit) {
      const needle = folded(term.trim())
      const found = (await candidates()).filter(({ userId, name }) =>
        isMatch(userId, name === undefined ? [] : [name], needle),
      )
      const ranked = rankPeople(
        found.slice(0, MAX_RANKED).map((one) => ({ ...one, avatarUrl: undefined, isKnown: false })),
        needle,
      )
      const people: FoundPerson[] = []
      for (let i = 0; i < ranked.length && people.length <= limit; i += CHECKED) {
        const some = ranked.slice(i, i + CHECKED).map((one) => one.userId)
        const now = new Map((await present(some)).map((person) => [person.userId, person]))
        for (const userId of some) {
          const person = now.get(userId)
          if (person !== undefined && isMatch(userId, person.name === undefined ? [] : [person.name], needle))
            people.push(person)
        }
      }
      return { people: people.slice(0, limit), isCut: people.length > limit || found.length > MAX_RANKED }
    },
  }
}
