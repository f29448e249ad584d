import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { Requester } from '../services/requester.js'
import { TEST_SERVER, testServices, type TestServices } from './testing.js'

const PEOPLE = 600
const id = (n: number): string => `u${String(n).padStart(3, '0')}`

let test: TestServices
let owner: Requester
beforeAll(async () => {
  test = await testServices()
  const { roomCreation, memberships, profile } = test.services
  owner = await test.user('owner')
  const { room_id: room } = await roomCreation.create(owner, { preset: 'public_chat' })
  const people = await Promise.all(Array.from({ length: PEOPLE }, (_, n) => test.user(id(n))))
  await profile.setField(people[3]!, people[3]!.userId, 'displayname', 'Élodie')
  await profile.setField(people[PEOPLE - 1]!, people[PEOPLE - 1]!.userId, 'displayname', 'Bertrand')
  await Promise.all(people.map((one) => memberships.join(one, { room, via: [], content: {} })))
})
afterAll(() => test.close())

const search = (term: string, limit = 10): Promise<object> =>
  test.services.userDirectory.search(owner.userId, term, limit)
const found = (n: number, name?: string): object => ({
  user_id: `@${id(n)}:${TEST_SERVER}`,
  ...(name === undefined ? {} : { display_name: name }),
})

describe('the user directory', () => {
  it.each(['be', 'BERT', 'rand', ` ${id(PEOPLE - 1)} `])(
    'finds the last of many people by %j',
    async (term) => {
      expect(await search(term)).toEqual({ results: [found(PEOPLE - 1, 'Bertrand')], limited: false })
    },
  )

  it.each(['élodie', 'ÉLO', 'e\u0301lodie'])('knows the cases of every letter: %j', async (term) => {
    expect(await search(term)).toEqual({ results: [found(3, 'Élodie')], limited: false })
  })

  it('says when there are more than it gives', async () => {
    expect(await search('u00', 2)).toEqual({ results: [found(0), found(1)], limited: true })
    expect(await search('u00', 10)).toMatchObject({ limited: false })
  })

  it('takes nothing that a person types for a wildcard, and looks at nothing but name and id', async () => {
    for (const term of ['%', '_', 'membership', 'u0%9']) {
      expect(await search(term)).toEqual({ results: [], limited: false })
    }
  })

  it('shows nobody to a stranger who shares no room with them', async () => {
    const stranger = await test.user('stranger')
    expect(await test.services.userDirectory.search(stranger.userId, 'be', 10)).toEqual({
      results: [],
      limited: false,
    })
  })
})

describe('a name that a person has in one room', () => {
  it('finds them for those who share the room, is shown to nobody, and found by nobody else', async () => {
    const { roomCreation, memberships, profile, userDirectory } = test.services
    const [alice, bob, eve] = [await test.user('alice'), await test.user('bob'), await test.user('eve')]
    await profile.setField(alice, alice.userId, 'displayname', 'Alice Cooper')
    await roomCreation.create(alice, { visibility: 'public' })
    const { room_id: room } = await roomCreation.create(bob, { invite: [alice.userId] })
    await memberships.join(alice, { room, via: [] })
    const content = { membership: 'join', displayname: 'Freddy' }
    await memberships.put(alice, { roomId: room, userId: alice.userId, content })
    const asAlice = { results: [{ user_id: alice.userId, display_name: 'Alice Cooper' }], limited: false }
    for (const searcher of [bob, eve])
      for (const term of ['alice cooper', alice.userId])
        expect(await userDirectory.search(searcher.userId, term, 10)).toEqual(asAlice)
    expect(await userDirectory.search(bob.userId, 'freddy', 10)).toEqual(asAlice)
    expect(await userDirectory.search(eve.userId, 'freddy', 10)).toEqual({ results: [], limited: false })
  })
})
