import { MatrixError, invalidParam } from '../../core/errors.js'
import { folded } from '../../core/directory/person.js'
import { MAX_PEOPLE, readPeople, type PeopleAnswer } from '../../core/directory/read-people.js'
import type { JsonObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import { createLru } from '../../platform/lru.js'
import type { FederationClient } from '../federation/client.js'
import type { CircleNodes } from './circle-nodes.js'
import type { OwnPeople } from './own-people.js'
import { shownPerson } from './shown-person.js'

/** The search of nodes with each other: each answers for its own people alone. */
export interface MemberPeople {
  /**
   * Asks the other nodes, by a term of three characters at least; nobody for a shorter one. Gives what came in time, by server.
   */
  search(term: string, limit: number): Promise<ReadonlyMap<string, PeopleAnswer>>
  /** For another node. Throws M_FORBIDDEN for who is no member, or an external one; M_INVALID_PARAM. */
  serve(origin: string, term: string, limit: number): Promise<JsonObject>
}

/** NOTSPEC: no specification has a search for people between servers. */
export const PEOPLE_PATH = '/_matrix/federation/unstable/org.chancery/user_directory/search'
export const MIN_TERM = 3

const TIMEOUT = 15_000
const MAX_BYTES = 128 * 1024
/** Who types asks for the same more than once, and others for the same names. */
const KEPT = 10_000
const MAX_KEPT = 1_000

export const isLongEnough = (needle: string): boolean => Array.from(needle).length >= MIN_TERM

export function createMemberPeople(deps: {
  readonly client: Pick<FederationClient, 'request'>
  readonly clock: Clock
  readonly nodes: CircleNodes
  readonly own: OwnPeople
}): MemberPeople {
  const { client, nodes, own } = deps
  const kept = createLru<string, Promise<PeopleAnswer>>({ max: MAX_KEPT, ttlMs: KEPT, clock: deps.clock })

  async function ask(server: string, term: string, needle: string, limit: number): Promise<PeopleAnswer> {
    const answer = await client.request({
      destination: server,
      method: 'POST',
      path: PEOPLE_PATH,
      body: { search_term: term, limit },
      timeoutMs: TIMEOUT,
      maxBytes: MAX_BYTES,
    })
    return readPeople(answer, server, needle)
  }

  return {
    search(term, limit) {
      const needle = folded(term.trim())
      if (!isLongEnough(needle)) return Promise.resolve(new Map())
      return nodes.ask((server) => {
        const key = JSON.stringify([server, limit, needle])
        const known = kept.get(key)
        if (known !== undefined) return known
        const asked = ask(server, term.trim(), needle, limit)
        kept.set(key, asked)
        // Its time begins with the answer.
        asked.then(
          () => kept.set(key, asked),
          () => kept.delete(key),
        )
        return asked
      })
    },
    async serve(origin, term, limit) {
      if (!nodes.mayAsk(origin))
        throw new MatrixError('M_FORBIDDEN', 'The directory is for nodes of the circle that are not external')
      if (!isLongEnough(folded(term.trim())))
        throw invalidParam(`search_term has at least ${MIN_TERM} characters`)
      const { people, isCut } = await own.search(term, Math.min(limit, MAX_PEOPLE))
      return { results: people.map(shownPerson), limited: isCut }
    },
  }
}
