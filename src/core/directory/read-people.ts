import { isMxcUri } from '../ids/mxc-uri.js'
import { isCompliantUserId } from '../ids/user-id.js'
import { serverNameOf } from '../ids/server-name-of.js'
import { isObject, ownValue, type Json, type JsonObject } from '../json/value.js'
import { isMatch, type FoundPerson } from './person.js'

/** People in one answer, and characters of a name. */
export const MAX_PEOPLE = 50
const MAX_NAME = 256
const MAX_URL = 1_000

export interface PeopleAnswer {
  readonly people: readonly FoundPerson[]
  /** Whether the node has found more. */
  readonly isCut: boolean
}

/**
 * What another node says of people. Whoever is not of that node, or is not what was looked for, is left out: nobody speaks for others, or puts
 * themselves where they were not asked for. Pre: `needle` is folded.
 */
export function readPeople(answer: JsonObject, server: string, needle: string): PeopleAnswer {
  const results = ownValue(answer, 'results')
  const list: readonly Json[] = Array.isArray(results) ? (results as readonly Json[]) : []
  const people = list.slice(0, MAX_PEOPLE).flatMap((entry) => {
    const person = readPerson(entry, server)
    return person !== undefined &&
      isMatch(person.userId, person.name === undefined ? [] : [person.name], needle)
      ? [person]
      : []
  })
  return { people, isCut: ownValue(answer, 'limited') === true || list.length > MAX_PEOPLE }
}

function readPerson(entry: Json, server: string): FoundPerson | undefined {
  if (!isObject(entry)) return undefined
  const userId = ownValue(entry, 'user_id')
  if (typeof userId !== 'string' || !isCompliantUserId(userId) || serverNameOf(userId) !== server)
    return undefined
  const name = ownValue(entry, 'display_name')
  const avatarUrl = ownValue(entry, 'avatar_url')
  return {
    userId,
    name: typeof name === 'string' && name !== '' && name.length <= MAX_NAME ? name : undefined,
    avatarUrl:
      typeof avatarUrl === 'string' && avatarUrl.length <= MAX_URL && isMxcUri(avatarUrl)
        ? avatarUrl
        : undefined,
  }
}
