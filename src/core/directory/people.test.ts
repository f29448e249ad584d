import { describe, expect, it } from '@jest/globals'
import type { Json } from '../json/value.js'
import { folded, isMatch, labelled } from './person.js'
import { rankPeople } from './rank-people.js'
import { MAX_PEOPLE, readPeople } from './read-people.js'

const SERVER = 'finances.example'
const person = (local: string, name?: string, isKnown = false) => ({
  userId: `@${local}:${SERVER}`,
  name,
  avatarUrl: undefined,
  isKnown,
})

describe('whoever is looked for', () => {
  it('is found by a part of the id or of a name, whatever its case and its accents are made of', () => {
    expect(isMatch('@Ana:x', [], 'ana')).toBe(true)
    expect(isMatch('@x:y', ['E\u0301mile'], folded('ÉMI'))).toBe(true)
    expect(isMatch('@x:y', ['Ana'], 'ben')).toBe(false)
  })
})

describe('the label of a node behind a name', () => {
  it.each([
    ['Ana Ruiz', 'Ana Ruiz [Finances]'],
    ['Ana Ruiz [Justice]', 'Ana Ruiz [Finances]'],
    ['Ana [a] [b]', 'Ana [Finances]'],
    ['Ana [x] Ruiz', 'Ana (x) Ruiz [Finances]'],
    ['Ana 【Justice】', 'Ana (Justice) [Finances]'],
    ['Ana\u202e [Justice]\u200b', 'Ana [Finances]'],
    ['[Justice]', '(Justice) [Finances]'],
  ])('stands alone: %s', (name, shown) => {
    expect(labelled(name, 'Finances')).toBe(shown)
  })
})

describe('people in their order', () => {
  const ids = (people: Parameters<typeof rankPeople>[0], needle: string): string[] =>
    rankPeople(people, needle).map(({ userId }) => userId.slice(1, userId.indexOf(':')))

  it('are those who fit best, then those one knows, then by name', () => {
    const people = [
      person('z1', 'Susana'),
      person('z2', 'Maria Ana', false),
      person('z3', 'Ana'),
      person('z4', 'Luz Ana', true),
      person('ana', 'Somebody'),
      person('z5', 'Ana Bella'),
    ]
    expect(ids(people, 'ana')).toEqual(['z3', 'ana', 'z4', 'z5', 'z2', 'z1'])
  })

  it('stand once, as they were first said, and by their ids where all else is the same', () => {
    const people = [person('b', 'Ana'), person('a', 'Ana'), person('b', 'Another')]
    expect(rankPeople(people, 'ana').map(({ userId, name }) => [userId, name])).toEqual([
      [`@a:${SERVER}`, 'Ana'],
      [`@b:${SERVER}`, 'Ana'],
    ])
  })
})

describe('what another node says of people', () => {
  const read = (results: Json, limited?: Json) =>
    readPeople({ results, ...(limited === undefined ? {} : { limited }) }, SERVER, 'ana')

  it('is taken of its own people who were looked for', () => {
    const found = read([
      { user_id: `@ana:${SERVER}`, display_name: 'Ana', avatar_url: `mxc://${SERVER}/x` },
      { user_id: '@ana:justice.example', display_name: 'Ana' },
      { user_id: `@ben:${SERVER}`, display_name: 'Ben' },
      { user_id: 'ana', display_name: 'Ana' },
      { display_name: 'Ana' },
      'ana',
    ])
    expect(found).toEqual({
      people: [{ userId: `@ana:${SERVER}`, name: 'Ana', avatarUrl: `mxc://${SERVER}/x` }],
      isCut: false,
    })
  })

  it('is taken without names and pictures that are none', () => {
    const wrong = {
      user_id: `@ana:${SERVER}`,
      display_name: 'Ana'.repeat(100),
      avatar_url: 'https://x.example/',
    }
    expect(read([wrong, { ...wrong, display_name: '', avatar_url: 5 }]).people).toEqual([
      { userId: `@ana:${SERVER}`, name: undefined, avatarUrl: undefined },
      { userId: `@ana:${SERVER}`, name: undefined, avatarUrl: undefined },
    ])
  })

  it('is bounded, and says whether it is cut', () => {
    const many = Array.from({ length: MAX_PEOPLE + 1 }, (_, n) => ({ user_id: `@ana${n}:${SERVER}` }))
    expect(read(many)).toMatchObject({ isCut: true })
    expect(read(many).people).toHaveLength(MAX_PEOPLE)
    expect(read([], true).isCut).toBe(true)
    expect(read('no list')).toEqual({ people: [], isCut: false })
  })
})
