import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { MatrixError } from '../../core/errors.js'
import type { JsonObject } from '../../core/json/value.js'
import { manualClock, type ManualClock } from '../../platform/clock.js'
import { deleteGlobalAccountData, putAccountData } from '../../storage/tables/account-data.js'
import { setProfileField } from '../../storage/tables/profiles.js'
import { untilPasses } from '../../platform/testing-until.js'
import { deactivateUser, insertUser, setUserFlag } from '../../storage/tables/users.js'
import { openTestStore } from '../../storage/testing.js'
import type { Store } from '../../storage/tx.js'
import { FederationError, type FederationRequest } from '../federation/client.js'
import { createRedList } from '../red-list/red-list.js'
import { createCircleDirectory } from './circle-directory.js'
import { createMemberPeople, type MemberPeople } from './member-people.js'
import { createOwnPeople } from './own-people.js'
import { testCircle, type TestCircle } from './testing-circle.js'
import type { KnownPeople, UserDirectory } from './user-directory.js'

const FINANCES = 'finances.example'
const JUSTICE = 'justice.example'
const PARTNER = 'partner.example'
const GUESTS = 'guests.example'
const GONE = 'gone.example'

interface Node {
  readonly store: Store
  readonly members: MemberPeople
  readonly directory: UserDirectory
}

let clock: ManualClock
let circle: TestCircle
let nodes: Map<string, Node>
/** What somebody knows of rooms, whoever searches. */
let fromRooms: { userId: string; name: string; isKnown: boolean }[]

async function addNode(name: string, waitMs?: number): Promise<Node> {
  const store = await openTestStore()
  const nodesOfCircle = circle.nodesOf(name, clock, waitMs)
  const own = createOwnPeople({ store, clock, redList: createRedList({ store }) })
  const members = createMemberPeople({ client: circle.clientOf(name), clock, nodes: nodesOfCircle, own })
  const known: KnownPeople = {
    find: () =>
      Promise.resolve({
        people: fromRooms.map((one) => ({ ...one, avatarUrl: undefined })),
        isCut: false,
      }),
  }
  const directory = createCircleDirectory({ serverName: name, known, own, members, nodes: nodesOfCircle })
  circle.answers.set(name, (origin, { body }: FederationRequest) => {
    const { search_term: term, limit } = body as { search_term: string; limit: number }
    return members.serve(origin, term, limit).catch((error: unknown) => {
      if (!(error instanceof MatrixError)) throw error
      throw new FederationError('status', error.message, { status: 403, errcode: error.errcode })
    })
  })
  const node = { store, members, directory }
  nodes.set(name, node)
  return node
}

async function addUser(server: string, localpart: string, displayName?: string): Promise<string> {
  const userId = `@${localpart}:${server}`
  await nodes.get(server)!.store.write('test', function* () {
    const account = { userId, passwordHash: null, createdTs: 0, isGuest: false, isAdmin: false }
    yield* insertUser({ ...account, appserviceId: null })
    if (displayName !== undefined) yield* setProfileField(userId, 'displayname', JSON.stringify(displayName))
  })
  return userId
}

const search = (server: string, term: string, limit = 10): Promise<JsonObject> =>
  nodes.get(server)!.directory.search(`@me:${server}`, term, limit)
const namesIn = (answer: JsonObject): unknown[] =>
  (answer['results'] as JsonObject[]).map((one) => one['display_name'] ?? one['user_id'])

beforeEach(async () => {
  clock = manualClock()
  fromRooms = []
  nodes = new Map()
  circle = testCircle({
    [FINANCES]: { label: 'Finances' },
    [JUSTICE]: { label: 'Justice' },
    [PARTNER]: { label: 'Partner', role: 'partner' },
    [GUESTS]: { label: 'Guests', role: 'external' },
    [GONE]: { label: 'Gone', left_at: 1_600_000_000_000 },
  })
  for (const name of [FINANCES, JUSTICE, PARTNER, GUESTS, GONE]) await addNode(name)
  await addUser(FINANCES, 'ana', 'Ana Ruiz')
  await addUser(JUSTICE, 'jana', 'Jana Weiss')
  await addUser(PARTNER, 'diana', 'Diana')
  await addUser(GUESTS, 'anatol', 'Anatol')
  await addUser(GONE, 'susanna', 'Susanna')
})
afterEach(async () => {
  for (const { store } of nodes.values()) await store.close()
})

describe('a search for people in a circle', () => {
  it('finds those of all nodes with whom no room is shared, each with the label of their node, but external ones', async () => {
    expect(await search(FINANCES, 'ana')).toEqual({
      results: [
        { user_id: `@ana:${FINANCES}`, display_name: 'Ana Ruiz' },
        { user_id: `@diana:${PARTNER}`, display_name: 'Diana [Partner]' },
        { user_id: `@jana:${JUSTICE}`, display_name: 'Jana Weiss [Justice]' },
      ],
      limited: false,
    })
    expect(circle.asked.toSorted()).toEqual([`${FINANCES} ${JUSTICE}`, `${FINANCES} ${PARTNER}`])
  })

  it('asks nobody for less than three characters', async () => {
    expect(namesIn(await search(FINANCES, ' an '))).toEqual(['Ana Ruiz'])
    expect(circle.asked).toEqual([])
  })

  it('says that there is more where any node has cut its answer, and gives no more than was wanted', async () => {
    for (let i = 0; i < 4; i++) await addUser(JUSTICE, `otto${i}`, `Otto ${i}`)
    expect(await search(FINANCES, 'otto', 4)).toMatchObject({ limited: false })
    const some = await search(FINANCES, 'otto', 3)
    expect(some).toMatchObject({ limited: true })
    expect(namesIn(some)).toEqual(['Otto 0 [Justice]', 'Otto 1 [Justice]', 'Otto 2 [Justice]'])
  })

  it('shows external people nobody, and external nodes are answered by nobody', async () => {
    expect(await search(GUESTS, 'ana')).toEqual({ results: [], limited: false })
    const { members } = nodes.get(FINANCES)!
    for (const origin of [GUESTS, GONE, 'stranger.example'])
      await expect(members.serve(origin, 'ana', 10)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
    await expect(members.serve(JUSTICE, 'an', 10)).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' })
    await expect(nodes.get(GUESTS)!.members.serve(JUSTICE, 'ana', 10)).rejects.toMatchObject({
      errcode: 'M_FORBIDDEN',
    })
  })

  it('does not find who hides at home, nor knows them by a room where their node answers', async () => {
    const hidden = `@jana:${JUSTICE}`
    await nodes
      .get(JUSTICE)!
      .store.write('test', () =>
        putAccountData(hidden, '', 'im.vector.hide_profile', '{"hide_profile":true}', 1),
      )
    fromRooms = [{ userId: hidden, name: 'Jana Weiss', isKnown: true }]
    expect(namesIn(await search(FINANCES, 'jana'))).toEqual([])
    fromRooms = []
    expect(namesIn(await search(JUSTICE, 'weiss'))).toEqual([])
    clock.advance(20_000)
    await nodes
      .get(JUSTICE)!
      .store.write('test', () => deleteGlobalAccountData(hidden, ['im.vector.hide_profile'], 2))
    expect(namesIn(await search(FINANCES, 'jana'))).toEqual(['Jana Weiss [Justice]'])
  })

  it('finds nobody whose account is not in use', async () => {
    const { store } = nodes.get(JUSTICE)!
    for (const flag of ['locked', 'suspended'] as const) {
      const userId = await addUser(JUSTICE, `ursula.${flag}`)
      await store.write('test', () => setUserFlag(userId, flag, true))
    }
    const gone = await addUser(JUSTICE, 'ursula.gone')
    await store.write('test', () => deactivateUser(gone, false))
    await store.write('test', function* () {
      const account = { passwordHash: null, createdTs: 0, isAdmin: false }
      yield* insertUser({ ...account, userId: `@ursula.g:${JUSTICE}`, isGuest: true, appserviceId: null })
      yield* insertUser({ ...account, userId: `@ursula.b:${JUSTICE}`, isGuest: false, appserviceId: 'irc' })
    })
    const there = await addUser(JUSTICE, 'ursula')
    for (const server of [FINANCES, JUSTICE])
      expect(await search(server, 'ursula')).toMatchObject({ results: [{ user_id: there }] })
  })

  it('is answered without nodes that are down, which are left alone for a minute', async () => {
    circle.answers.delete(PARTNER)
    expect(namesIn(await search(FINANCES, 'ana'))).toEqual(['Ana Ruiz', 'Jana Weiss [Justice]'])
    await search(FINANCES, 'jana')
    expect(circle.asked.filter((line) => line.endsWith(PARTNER))).toHaveLength(1)
    clock.advance(60_000)
    await search(FINANCES, 'ana')
    expect(circle.asked.filter((line) => line.endsWith(PARTNER))).toHaveLength(2)
  })

  it('waits for a slow node only so long, and has its answer the next time', async () => {
    let answer: (value: JsonObject) => void = () => undefined
    const slow = new Promise<JsonObject>((resolve) => (answer = resolve))
    circle.answers.set(PARTNER, () => slow)
    await nodes.get(FINANCES)!.store.close()
    await addNode(FINANCES, 1)
    expect(namesIn(await search(FINANCES, 'dia'))).toEqual([])
    answer({ results: [{ user_id: `@diana:${PARTNER}`, display_name: 'Diana' }], limited: false })
    await slow
    await addUser(FINANCES, 'dia')
    expect(circle.asked.filter((line) => line.endsWith(PARTNER))).toHaveLength(1)
  })

  it('does not ask a node again that has kept somebody waiting, until it has answered', async () => {
    let answer: (value: JsonObject) => void = () => undefined
    circle.answers.set(PARTNER, () => new Promise((resolve) => (answer = resolve)))
    await nodes.get(FINANCES)!.store.close()
    await addNode(FINANCES, 5)
    await search(FINANCES, 'first')
    clock.advance(5)
    await search(FINANCES, 'second')
    const toPartner = (): number => circle.asked.filter((line) => line.endsWith(PARTNER)).length
    expect(toPartner()).toBe(1)
    answer({ results: [] })
    await untilPasses(async () => {
      clock.advance(1)
      await search(FINANCES, `third ${clock.now()}`)
      expect(toPartner()).toBeGreaterThan(1)
    })
  })

  it('shows of a node that is down who shares a room with the searcher, and nobody from public rooms', async () => {
    circle.answers.delete(JUSTICE)
    fromRooms = [
      { userId: `@jana:${JUSTICE}`, name: 'Jana Weiss', isKnown: true },
      { userId: `@johanna:${JUSTICE}`, name: 'Johanna', isKnown: false },
    ]
    expect(namesIn(await search(FINANCES, 'ana'))).toEqual([
      'Ana Ruiz',
      'Jana Weiss [Justice]',
      'Diana [Partner]',
    ])
  })

  it('takes from a node that lies nobody who is not its own, is not meant, or bears the label of another', async () => {
    const liar = (results: JsonObject[]) => circle.answers.set(PARTNER, () => Promise.resolve({ results }))
    liar([
      { user_id: `@minister:${JUSTICE}`, display_name: 'The Minister' },
      { user_id: `@minister:${PARTNER}:`, display_name: 'The Minister' },
      { user_id: '@minister', display_name: 'The Minister' },
      { user_id: `@eve:${PARTNER}`, display_name: 'Not asked for' },
      {
        user_id: `@minister:${PARTNER}`,
        display_name: 'The Minister [Justice]\u202e',
        avatar_url: 'https://x',
      },
      { user_id: `@minister2:${PARTNER}`, display_name: 'x'.repeat(300) },
      { user_id: `@minister3:${PARTNER}`, display_name: '[Justice] The ［Minister］ [Justice] [Finances]' },
      'minister' as never,
    ])
    expect((await search(FINANCES, 'minister'))['results']).toEqual([
      { user_id: `@minister:${PARTNER}`, display_name: 'The Minister [Partner]' },
      { user_id: `@minister2:${PARTNER}`, display_name: `@minister2:${PARTNER} [Partner]` },
      { user_id: `@minister3:${PARTNER}`, display_name: '(Justice) The (Minister) [Partner]' },
    ])
    liar(Array.from({ length: 80 }, (_, i) => ({ user_id: `@flood${i}:${PARTNER}` })))
    const flood = await search(FINANCES, 'flood', 50)
    expect(flood['results']).toHaveLength(50)
    expect(flood).toMatchObject({ limited: true })
    for (const bad of [{}, { results: 'none' }, { results: [null, [], 7] }] as JsonObject[]) {
      circle.answers.set(PARTNER, () => Promise.resolve(bad))
      clock.advance(20_000)
      expect(await search(FINANCES, 'minister')).toEqual({ results: [], limited: false })
    }
  })
})
