import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { testServices, type TestServices } from '../../composition/testing.js'
import type { JsonObject } from '../../core/json/value.js'
import { manualClock, type ManualClock } from '../../platform/clock.js'
import { createEphemeralPositions, type EphemeralPositions } from '../ephemeral-positions.js'
import type { Requester } from '../requester.js'
import { createPresence, type Presence, type PresenceOptions } from './presence.js'

const SECOND = 1_000
const MINUTE = 60 * SECOND

let test: TestServices
let alice: Requester
let bob: Requester
let stranger: Requester
let roomId: string
let clock: ManualClock
let presence: Presence
let positions: EphemeralPositions
let woken: string[]
let sent: { to: readonly string[]; content: JsonObject }[]

beforeAll(async () => {
  test = await testServices()
  ;[alice, bob, stranger] = await Promise.all([test.user('alice'), test.user('bob'), test.user('stranger')])
  roomId = (await test.services.roomCreation.create(alice, { preset: 'public_chat' })).room_id
  await test.services.memberships.join(bob, { room: roomId, via: [] })
})
afterAll(() => test.close())
beforeEach(() => begin())

function begin(options: PresenceOptions = { enabled: true, federate: true }): void {
  clock = manualClock()
  positions = createEphemeralPositions(clock)
  woken = []
  sent = []
  presence = createPresence({
    context: { ...test.built.rooms.context, clock },
    positions,
    notifier: { notify: (keys) => void woken.push(...keys) },
    sendEphemeral: (to, { content }) => void sent.push({ to, content }),
    options,
  })
}

const state = (who: Requester, of: Requester): Promise<JsonObject> => presence.get(who, of.userId)
async function pass(ms: number): Promise<void> {
  clock.advance(ms)
  await presence.tick()
}
const errcode = (work: () => unknown): Promise<string> =>
  Promise.resolve()
    .then(work)
    .then(
      () => 'no refusal',
      (error: { errcode: string }) => error.errcode,
    )

describe('presence', () => {
  it('is what a user says, with when they last did something', async () => {
    expect(await state(bob, alice)).toEqual({ presence: 'offline' })
    presence.set(alice, alice.userId, { presence: 'online', statusMsg: 'at work' })
    clock.advance(7)
    expect(await state(bob, alice)).toEqual({
      presence: 'online',
      currently_active: true,
      last_active_ago: 7,
      status_msg: 'at work',
    })
    presence.set(alice, alice.userId, { presence: 'unavailable', statusMsg: undefined })
    expect(await state(bob, alice)).toEqual({ presence: 'unavailable', last_active_ago: 7 })
  })

  it('is nobody’s business who shares no room, and one’s own to set', async () => {
    presence.set(alice, alice.userId, { presence: 'online', statusMsg: undefined })
    expect(await errcode(() => state(stranger, alice))).toBe('M_FORBIDDEN')
    expect(await errcode(() => presence.get(stranger, '@nobody:ours.example'))).toBe('M_FORBIDDEN')
    expect(await presence.eventsFor(stranger.userId, 0)).toEqual([])
    expect((await state(alice, alice))['presence']).toBe('online')
    const input = { presence: 'online', statusMsg: undefined } as const
    expect(await errcode(() => presence.set(alice, bob.userId, input))).toBe('M_FORBIDDEN')
    expect(await errcode(() => presence.set({ ...alice, isSuspended: true }, alice.userId, input))).toBe('M_USER_SUSPENDED') // prettier-ignore
  })

  it('follows polls: online while one waits, unavailable after five idle minutes, offline half a minute after the last', async () => {
    const end = presence.beginSync(alice, 'online')
    expect(await state(bob, alice)).toMatchObject({ presence: 'online', currently_active: true })
    await pass(61 * SECOND)
    expect(await state(bob, alice)).toMatchObject({ presence: 'online', currently_active: false })
    await pass(4 * MINUTE)
    expect(await state(bob, alice)).toMatchObject({ presence: 'unavailable', last_active_ago: 301 * SECOND })
    presence.onActivity(alice.userId)
    expect(await state(bob, alice)).toMatchObject({
      presence: 'online',
      currently_active: true,
      last_active_ago: 0,
    })
    end()
    end()
    await pass(29 * SECOND)
    expect(await state(bob, alice)).toMatchObject({ presence: 'online' })
    await pass(6 * SECOND)
    expect(await state(bob, alice)).toMatchObject({ presence: 'offline', last_active_ago: 35 * SECOND })
  })

  it('is the best of several devices, and nothing that an unseen device does shows', async () => {
    const phone = { ...alice, deviceId: 'PHONE' }
    const endHidden = presence.beginSync(phone, 'offline')
    presence.onActivity(alice.userId)
    expect(await state(bob, alice)).toMatchObject({ presence: 'offline' })
    const endIdle = presence.beginSync({ ...alice, deviceId: 'TABLET' }, 'unavailable')
    expect(await state(bob, alice)).toMatchObject({ presence: 'unavailable' })
    const end = presence.beginSync({ ...alice, deviceId: 'DESK' }, 'online')
    expect(await state(bob, alice)).toMatchObject({ presence: 'online' })
    end()
    await pass(40 * SECOND)
    expect(await state(bob, alice)).toMatchObject({ presence: 'unavailable' })
    endIdle()
    endHidden()
    await pass(40 * SECOND)
    expect(await state(bob, alice)).toMatchObject({ presence: 'offline' })
  })

  it('comes as events of those who changed; at first of all who are there', async () => {
    const first = positions.current()
    presence.set(alice, alice.userId, { presence: 'online', statusMsg: undefined })
    presence.set(stranger, stranger.userId, { presence: 'online', statusMsg: undefined })
    const event = {
      type: 'm.presence',
      sender: alice.userId,
      content: { presence: 'online', currently_active: true, last_active_ago: 0 },
    }
    expect(await presence.eventsFor(bob.userId, first)).toEqual([event])
    const second = positions.current()
    expect(await presence.eventsFor(bob.userId, second)).toEqual([])
    // Activity of somebody active is no news.
    presence.onActivity(alice.userId)
    expect(await presence.eventsFor(bob.userId, second)).toEqual([])
    expect(await presence.eventsFor(bob.userId, 0)).toEqual([event])
    presence.set(alice, alice.userId, { presence: 'offline', statusMsg: undefined })
    expect(await presence.eventsFor(bob.userId, 0)).toEqual([])
    expect(await presence.eventsFor(bob.userId, second)).toMatchObject([{ content: { presence: 'offline' } }])
  })

  it('shows people to each other who meet in a room', async () => {
    presence.set(alice, alice.userId, { presence: 'online', statusMsg: undefined })
    const after = positions.current()
    await presence.onLocalJoin(roomId, bob.userId)
    expect(await presence.eventsFor(bob.userId, after)).toMatchObject([{ sender: alice.userId }])
  })

  it('wakes those who share a small room once for all changes, and nobody else', async () => {
    presence.set(alice, alice.userId, { presence: 'online', statusMsg: 'a' })
    presence.set(alice, alice.userId, { presence: 'online', statusMsg: 'b' })
    expect(woken).toEqual([])
    await presence.tick()
    expect(woken.toSorted()).toEqual([alice.userId, bob.userId])
    await presence.tick()
    expect(woken).toHaveLength(2)
  })

  it('wakes nobody for one of ten thousand in a room, and costs them next to nothing', async () => {
    const { rosters, loader } = test.built.rooms.context
    const { nid } = (await loader.load(roomId))!
    const roster = await rosters.of(nid)
    const crowd = Array.from({ length: 10_000 }, (_, i) => `@u${i}:ours.example`)
    rosters.set(nid, { ...roster, local: new Set([...roster.local, ...crowd]) })
    try {
      for (const userId of crowd) presence.beginSync({ ...alice, userId }, 'online')
      for (let i = 0; i < 3; i++) await presence.tick()
      woken.length = 0
      const after = positions.current()
      presence.set(alice, alice.userId, { presence: 'online', statusMsg: 'news' })
      await presence.tick()
      expect(woken).toEqual([alice.userId])
      expect(await presence.eventsFor(bob.userId, after)).toHaveLength(1)
    } finally {
      rosters.set(nid, roster)
    }
  })

  it('does nothing where it is switched off', async () => {
    begin({ enabled: false, federate: true })
    presence.set(alice, alice.userId, { presence: 'online', statusMsg: undefined })
    presence.beginSync(alice, 'online')()
    await presence.onEdu('far.example', { push: [] })
    await presence.tick()
    expect(await state(bob, alice)).toEqual({ presence: 'offline' })
    expect(await errcode(() => state(stranger, alice))).toBe('M_FORBIDDEN')
    expect([await presence.eventsFor(bob.userId, 0), woken, sent]).toEqual([[], [], []])
  })
})

describe('presence of other servers', () => {
  const FAR = '@far:far.example'
  beforeAll(async () => {
    const { context } = test.built.rooms
    const { nid } = (await context.loader.load(roomId))!
    const { upsertMemberships } = await import('../../storage/tables/memberships.js')
    const row = { room_nid: nid, user_id: FAR, membership: 'join', event_nid: null, sender: FAR, pos: 1, server: 'far.example', local: 0, forgotten: 0, stripped_state: null } // prettier-ignore
    await test.store.write('test.far', () => upsertMemberships([row]))
  })
  const push = (...items: object[]): JsonObject => ({ push: items }) as unknown as JsonObject

  it('is taken from their own server alone, of those who share a room', async () => {
    const said = {
      user_id: FAR,
      presence: 'online',
      last_active_ago: 5_000,
      status_msg: 'x'.repeat(5_000),
      currently_active: true,
    }
    await presence.onEdu('evil.example', push(said))
    expect(await presence.get(bob, FAR)).toEqual({ presence: 'offline' })
    const junk = [
      null,
      7,
      {},
      { user_id: FAR },
      { ...said, presence: 'busy' },
      { ...said, user_id: '@unknown:far.example' },
    ]
    await presence.onEdu('far.example', push(...(junk as object[])))
    expect(await presence.eventsFor(bob.userId, 0)).toEqual([])
    await presence.onEdu('far.example', push(said))
    expect(await presence.get(bob, FAR)).toEqual({
      presence: 'online',
      currently_active: true,
      last_active_ago: 5_000,
      status_msg: 'x'.repeat(1_024),
    })
    expect(await errcode(() => presence.get(stranger, FAR))).toBe('M_FORBIDDEN')
    await pass(31 * MINUTE)
    expect(await presence.get(bob, FAR)).toMatchObject({ presence: 'offline' })
  })

  it('survives an EDU that is none', async () => {
    for (const content of [{}, { push: null }, { push: {} }, { push: 'x' }]) {
      await presence.onEdu('far.example', content as JsonObject)
    }
    expect(await presence.eventsFor(bob.userId, 0)).toEqual([])
  })

  it('of ours is sent to servers that share a room, where that is switched on', async () => {
    presence.set(alice, alice.userId, { presence: 'online', statusMsg: 'hi' })
    await presence.onEdu('far.example', push({ user_id: FAR, presence: 'online', last_active_ago: 0 }))
    await presence.tick()
    expect(sent).toEqual([
      {
        to: ['far.example'],
        content: {
          push: [
            {
              user_id: alice.userId,
              presence: 'online',
              last_active_ago: 0,
              currently_active: true,
              status_msg: 'hi',
            },
          ],
        },
      },
    ])
    begin({ enabled: true, federate: false })
    presence.set(alice, alice.userId, { presence: 'online', statusMsg: 'hi' })
    await presence.onEdu('far.example', push({ user_id: FAR, presence: 'online', last_active_ago: 0 }))
    await presence.tick()
    expect(sent).toEqual([])
    expect(await presence.get(bob, FAR)).toEqual({ presence: 'offline' })
  })
})
