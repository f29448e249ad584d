import { folded, type FoundPerson } from './person.js'

/** Somebody who was found, and whether the searcher shares a room with them. */
export interface RankedPerson extends FoundPerson {
  readonly isKnown: boolean
}

/** 0: the whole name or local part; 1: the beginning of a word of it; 2: any part. */
function fit({ userId, name = '' }: FoundPerson, needle: string): number {
  const localpart = userId.slice(1, Math.max(1, userId.indexOf(':'))).toLowerCase()
  const text = folded(name)
  if (text === needle || localpart === needle || userId.toLowerCase() === needle) return 0
  const begins = (whole: string): boolean => {
    for (let at = whole.indexOf(needle); at !== -1; at = whole.indexOf(needle, at + 1))
      if (at === 0 || !/[\p{L}\p{N}]/u.test(whole[at - 1]!)) return true
    return false
  }
  return begins(text) || begins(localpart) ? 1 : 2
}

/**
 * The best first: who fits best, then whom the searcher knows, then by name. Each user once, as the first of them says.
 * Pre: `needle` is folded.
 */
export function rankPeople(people: Iterable<RankedPerson>, needle: string): RankedPerson[] {
  const byId = new Map<string, RankedPerson>()
  for (const person of people) if (!byId.has(person.userId)) byId.set(person.userId, person)
  const order = [...byId.values()].map((person) => ({
    person,
    fit: fit(person, needle),
    name: folded(person.name ?? person.userId),
  }))
  const text = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
  order.sort(
    (a, b) =>
      a.fit - b.fit ||
      Number(b.person.isKnown) - Number(a.person.isKnown) ||
      text(a.name, b.name) ||
      text(a.person.userId, b.person.userId),
  )
  return order.map(({ person }) => person)
}
