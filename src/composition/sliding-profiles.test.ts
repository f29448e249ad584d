import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { Json } from '../core/json/value.js'
import type { Requester } from '../services/requester.js'
import type { SlidingBody } from '../services/sync/sliding/request.js'
import { slide, type SlidingAnswer } from '../services/sync/sliding/testing-sliding.js'
import { testServices, type TestServices } from './testing.js'

const PROFILES = 'org.matrix.msc4262.profiles'
const STATUS = 'org.example.status'

let node: TestServices
let ann: Requester
let ben: Requester
let cid: Requester
beforeEach(async () => {
  node = await testServices()
  ann = { ...(await node.user('ann')), deviceId: 'PHONE' }
  ben = await node.user('ben')
  cid = await node.user('cid')
})
afterEach(() => node.close())

const set = (who: Requester, field: string, value: Json): Promise<void> =>
  node.services.profile.setField(who, who.userId, field, value)
const unset = (who: Requester, field: string): Promise<void> =>
  node.services.profile.deleteField(who, who.userId, field)
async function room(by: Requester, ...others: Requester[]): Promise<string> {
  const { services } = node
  const { room_id: roomId } = await services.roomCreation.create(by, { preset: 'public_chat' })
  for (const other of others) await services.memberships.join(other, { room: roomId, via: [] })
  return roomId
}
const leave = (who: Requester, roomId: string): Promise<unknown> =>
  node.services.memberships.leave(who, { roomId })
let txn = 0
const say = (who: Requester, roomId: string): Promise<unknown> =>
  node.services.sending.message(who, {
    roomId,
    type: 'm.room.message',
    content: { msgtype: 'm.text', body: 'x' },
    txnId: `t${txn++}`,
  })

type Extension = { enabled: boolean; fields?: string[]; lists?: string[]; rooms?: string[] }
const ON: Extension = { enabled: true }
const ALL: SlidingBody['lists'] = { all: { ranges: [[0, 99]], timeline_limit: 1, required_state: [] } }
const LAZY: SlidingBody['lists'] = {
  all: { ranges: [[0, 99]], timeline_limit: 1, required_state: [['m.room.member', '$LAZY']] },
}
const ask = (
  extension: Extension | undefined,
  pos?: string,
  lists: SlidingBody['lists'] = ALL,
): Promise<SlidingAnswer> =>
  slide(
    node.services,
    ann,
    { lists: lists ?? null, extensions: extension === undefined ? {} : { [PROFILES]: extension } },
    { pos },
  )
const users = (answer: SlidingAnswer) => answer.extensions[PROFILES]?.users

describe('profiles in sliding sync', () => {
  it('come with the rooms that are new to the client, once, and then as they change', async () => {
    await set(ben, 'displayname', 'Ben')
    await set(ben, STATUS, { text: 'here' })
    await set(cid, 'displayname', 'a stranger')
    await room(ben, ann)
    const first = await ask(ON)
    expect(users(first)).toEqual({
      [ben.userId]: { updated: { displayname: 'Ben', [STATUS]: { text: 'here' } } },
    })
    const second = await ask(ON, first.pos)
    expect(second.extensions).toEqual({})
    await set(ben, STATUS, null)
    await unset(ben, 'displayname')
    await set(cid, STATUS, 'nobody is told')
    const third = await ask(ON, second.pos)
    expect(users(third)).toEqual({ [ben.userId]: { updated: { [STATUS]: null }, removed: ['displayname'] } })
    // Until the client comes with the new position it may not have it.
    expect(users(await ask(ON, second.pos))).toEqual(users(third))
    expect(users(await ask(ON, third.pos))).toBeUndefined()
  })

  it('are told of one’s own changes, and of people of rooms that no list has in view', async () => {
    await room(ben, ann)
    const none = { all: { ranges: [[5, 9]] as [number, number][], timeline_limit: 1, required_state: [] } }
    const first = await ask(ON, undefined, none)
    expect(users(first)).toBeUndefined()
    await set(ann, STATUS, 'mine')
    await set(ben, STATUS, 'his')
    const second = await ask(ON, first.pos, none)
    expect(users(second)).toEqual({
      [ann.userId]: { updated: { [STATUS]: 'mine' } },
      [ben.userId]: { updated: { [STATUS]: 'his' } },
    })
    // A client that has no rooms in view at all is told as well.
    await set(ben, STATUS, 'new')
    expect(users(await ask(ON, second.pos, {}))).toEqual({ [ben.userId]: { updated: { [STATUS]: 'new' } } })
  })

  it('are of the fields that were asked for, and of those that are asked for later', async () => {
    await set(ben, 'displayname', 'Ben')
    await set(ben, STATUS, 'here')
    await room(ben, ann)
    const name = { enabled: true, fields: ['displayname'] }
    const first = await ask(name)
    expect(users(first)).toEqual({ [ben.userId]: { updated: { displayname: 'Ben' } } })
    await set(ben, STATUS, 'there')
    const second = await ask(name, first.pos)
    expect(users(second)).toBeUndefined()
    const third = await ask({ enabled: true, fields: ['displayname', STATUS] }, second.pos)
    expect(users(third)?.[ben.userId]?.updated).toMatchObject({ [STATUS]: 'there' })
    const fourth = await ask({ enabled: true, fields: [STATUS] }, third.pos)
    expect(users(fourth)).toBeUndefined()
    const fifth = await ask(ON, fourth.pos)
    expect(users(fifth)?.[ben.userId]?.updated).toMatchObject({ displayname: 'Ben', [STATUS]: 'there' })
    expect(users(await ask({ enabled: true, fields: [] }, fifth.pos))).toBeUndefined()
  })

  it('are of rooms that the extension names alone', async () => {
    await set(ben, 'displayname', 'Ben')
    await room(ben, ann)
    const first = await ask({ enabled: true, lists: [], rooms: [] })
    expect(users(first)).toBeUndefined()
    expect(users(await ask(ON, first.pos))).toEqual({ [ben.userId]: { updated: { displayname: 'Ben' } } })
  })

  it('are those of the people who speak, where members are loaded lazily', async () => {
    for (const who of [ben, cid]) await set(who, 'displayname', 'somebody')
    const roomId = await room(ben, cid, ann)
    const first = await ask(ON, undefined, LAZY)
    expect(users(first)).toBeUndefined()
    await say(ben, roomId)
    const second = await ask(ON, first.pos, LAZY)
    expect(Object.keys(users(second)!)).toEqual([ben.userId])
    await say(ben, roomId)
    const third = await ask(ON, second.pos, LAZY)
    expect(users(third)).toBeUndefined()
    // Whoever comes back after the client was told to forget them.
    await leave(ben, roomId)
    const fourth = await ask(ON, third.pos, LAZY)
    expect(users(fourth)).toEqual({ [ben.userId]: null })
    await node.services.memberships.join(ben, { room: roomId, via: [] })
    expect(users(await ask(ON, fourth.pos, LAZY))).toEqual({
      [ben.userId]: { updated: { displayname: 'somebody' } },
    })
  })

  it('end with the last room that is shared, for what changes afterwards too', async () => {
    const rooms = [await room(ben, ann, cid), await room(ben, ann)]
    const first = await ask(ON)
    await leave(ben, rooms[0]!)
    const second = await ask(ON, first.pos)
    expect(users(second)).toBeUndefined()
    await leave(ann, rooms[1]!)
    await set(ben, STATUS, 'a secret')
    const third = await ask(ON, second.pos)
    expect(users(third)).toEqual({ [ben.userId]: null })
    await set(ben, STATUS, 'another')
    expect(users(await ask(ON, third.pos))).toBeUndefined()
  })

  it('catch up after requests without them, and after a restart', async () => {
    await room(ben, ann)
    const first = await ask(ON)
    const second = await ask(undefined, first.pos)
    await set(ben, STATUS, 'missed')
    const third = await ask(undefined, second.pos)
    expect(third.extensions).toEqual({})
    const { services } = await node.restarted()
    const body = { lists: ALL, extensions: { [PROFILES]: ON } }
    const fourth = await slide(services, ann, body, { pos: third.pos })
    expect(users(fourth)).toEqual({ [ben.userId]: { updated: { [STATUS]: 'missed' } } })
  })

  it('wake whoever waits', async () => {
    await room(ben, ann)
    const first = await ask(ON)
    const body = { lists: ALL, extensions: { [PROFILES]: ON } }
    const waiting = slide(node.services, ann, body, { pos: first.pos, timeoutMs: 60_000 })
    await set(ben, STATUS, 'back soon')
    expect(users(await waiting)).toEqual({ [ben.userId]: { updated: { [STATUS]: 'back soon' } } })
  })

  it('are told in portions where much has changed, until all of it was told', async () => {
    await room(ben, ann)
    const first = await ask(ON)
    for (let n = 0; n < 230; n++) await set(ben, `org.example.f${n}`, n)
    const seen = new Map<string, unknown>()
    let { pos } = first
    let answers = 0
    for (let some = users(first); answers === 0 || some !== undefined; answers++) {
      const answer = await ask(ON, pos)
      pos = answer.pos
      some = users(answer)
      for (const [field, value] of Object.entries(some?.[ben.userId]?.updated ?? {})) seen.set(field, value)
    }
    expect(seen.size).toBe(230)
    expect(answers).toBe(3)
  })

  it('of many rooms come in portions too', async () => {
    for (let n = 0; n < 60; n++) await room(ben, ann)
    await room(cid, ann)
    await set(ben, 'displayname', 'Ben')
    await set(cid, 'displayname', 'Cid')
    const seen = new Set<string>()
    let pos: string | undefined
    for (let n = 0; n < 3; n++) {
      const answer = await ask(ON, pos)
      pos = answer.pos
      for (const id of Object.keys(users(answer) ?? {})) seen.add(id)
    }
    expect([...seen].toSorted()).toEqual([ben.userId, cid.userId])
  })
})

describe('a client that follows profiles', () => {
  type Known = ReadonlyMap<string, ReadonlyMap<string, unknown>>

  /** What the client knows after an answer. */
  function told(known: Known, answer: SlidingAnswer): Known {
    const next = new Map(known)
    for (const [id, change] of Object.entries(users(answer) ?? {})) {
      if (change === null) {
        next.delete(id)
        continue
      }
      const fields = new Map(next.get(id))
      for (const [field, value] of Object.entries(change.updated ?? {})) fields.set(field, value)
      for (const field of change.removed ?? []) fields.delete(field)
      next.set(id, fields)
    }
    return next
  }

  const who = fc.constantFrom('ann', 'ben', 'cid')
  const field = fc.constantFrom('displayname', STATUS)
  const place = fc.nat(1)
  const step = fc.oneof(
    fc.record({ kind: fc.constant('set' as const), who, field, value: fc.nat(9) }),
    fc.record({ kind: fc.constant('unset' as const), who, field }),
    fc.record({ kind: fc.constant('join' as const), who, place }),
    fc.record({ kind: fc.constant('leave' as const), who, place }),
    fc.record({ kind: fc.constant('ask' as const), isLost: fc.boolean() }),
  )

  it('knows in the end what is so, whatever was lost on the way, and nothing of whom they do not meet any more', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 24 }), async (steps) => {
        const people = { ann, ben, cid }
        for (const one of Object.values(people)) {
          for (const name of ['displayname', STATUS]) await unset(one, name)
        }
        const rooms = [await room(ben, ann, cid), await room(cid, ann)]
        let answer = await ask(ON)
        let known = told(new Map(), answer)
        for (const one of steps) {
          if (one.kind === 'ask') {
            const next = await ask(ON, answer.pos)
            if (one.isLost) continue
            known = told(known, next)
            answer = next
            continue
          }
          const by = people[one.who]
          if (one.kind === 'set') await set(by, one.field, `${one.value}`)
          else if (one.kind === 'unset') await unset(by, one.field)
          else if (one.kind === 'leave') await leave(by, rooms[one.place]!).catch(() => undefined)
          else {
            const into = { room: rooms[one.place]!, via: [] }
            // Nobody comes into a room that everybody has left.
            await node.services.memberships.join(by, into).catch(() => undefined)
          }
        }
        for (let n = 0; n < 2; n++) known = told(known, (answer = await ask(ON, answer.pos)))
        const rest = await ask(ON, answer.pos)
        known = told(known, rest)
        for (const other of [ben, cid]) {
          const shared = await node.services.mutualRooms.with(ann.userId, other.userId, undefined)
          const profile = await node.services.profile.get(other.userId, other)
          expect(known.get(other.userId) ?? new Map()).toEqual(
            new Map(shared.count > 0 ? Object.entries(profile) : []),
          )
        }
        // Earlier rooms are out of the way of the next run.
        for (const roomId of rooms)
          for (const one of Object.values(people)) await leave(one, roomId).catch(() => undefined)
      }),
      { numRuns: 12 },
    )
  }, 600_000)
})
