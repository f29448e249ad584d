import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { wholeNumbersFrom } from '../../platform/testing-numbers.js'
import { openTestStore } from '../../storage/testing.js'
import { replaceUnread, unreadOf } from '../../storage/tables/unread.js'
import { insertRoom, advanceRoom } from '../../storage/tables/rooms.js'
import { all, type Store } from '../../storage/tx.js'
import { writeUnread } from './unread-effects.js'
import type { Pending, UnreadEffect, UnreadOutcome } from './working-room.js'

const ROOM = 1
const SERVER = 'here'
const LOUD = { notify: true, highlight: false }
const MENTION = { notify: true, highlight: true }
const SILENT = { notify: false, highlight: false }
let store: Store
let rev: number

beforeEach(async () => {
  store = await openTestStore()
  rev = 0
  await store.write('room', () =>
    insertRoom({
      nid: ROOM,
      room_id: '!r:here',
      version: '12',
      rev: 0,
      state_root: null,
      heads: '[]',
      last_pos: 0,
      published: 0,
    }),
  )
})
afterEach(() => store.close())

const user = (name: string | number): string => `@${name}:${SERVER}`
const member = (userId: string, before: string, after: string): Pending['stateChanges'][number] => {
  const event = (membership: string): never => ({ event: { content: { membership } } }) as never
  return { type: 'm.room.member', stateKey: userId, before: event(before), after: event(after) }
}
const joins = (userId: string): Pick<Pending, 'stateChanges' | 'unread'> => ({
  stateChanges: [member(userId, 'leave', 'join')],
  unread: undefined,
})
const leaves = (userId: string): Pick<Pending, 'stateChanges' | 'unread'> => ({
  stateChanges: [member(userId, 'join', 'leave')],
  unread: undefined,
})
const says = (effect: Partial<UnreadEffect>): Pick<Pending, 'stateChanges' | 'unread'> => ({
  stateChanges: [],
  unread: { thread: '', common: LOUD, reader: undefined, special: new Map(), ...effect },
})

/** One transaction of the room. */
async function batch(...items: readonly Pick<Pending, 'stateChanges' | 'unread'>[]): Promise<void> {
  await store.write('batch', function* () {
    yield* writeUnread(ROOM, items as readonly Pending[], SERVER, rev + 1)
    yield* advanceRoom({ nid: ROOM, version: '12', state_root: null, heads: '[]', last_pos: 0 }, rev)
  })
  rev++
}

async function counts(userId: string): Promise<Record<string, readonly [number, number]>> {
  const rows = await store.read('counts', () => unreadOf(userId, [ROOM]))
  return Object.fromEntries(
    rows
      .map((row) => [row.thread, [row.notify, row.highlight] as const] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  )
}
const rowsOf = async (table: string): Promise<number> =>
  (await store.read('rows', () => all(`SELECT 1 FROM ${table}`))).length

describe('counts of what is unread', () => {
  it('rise for everybody but who speaks, who has then read all', async () => {
    await batch(joins(user('a')), joins(user('b')))
    await batch(says({ reader: user('a') }), says({ reader: user('a') }))
    expect(await counts(user('a'))).toEqual({})
    expect(await counts(user('b'))).toEqual({ '': [2, 0] })
    await batch(says({ reader: user('b') }))
    expect(await counts(user('a'))).toEqual({ '': [1, 0] })
    expect(await counts(user('b'))).toEqual({})
  })

  it('cost a message in a room of 1,000 members as many rows as one of two', async () => {
    const members = Array.from({ length: 1_000 }, (_, i) => user(i))
    await batch(...members.map(joins))
    const before = await rowsOf('unread')
    let written = 0
    await store.write('message', function* () {
      const body = writeUnread(
        ROOM,
        [says({ reader: members[0]! })] as unknown as readonly Pending[],
        SERVER,
        ++rev,
      )
      let step = body.next()
      while (!step.done) {
        const result = yield step.value
        if (!step.value.sql.startsWith('SELECT')) written += result.changes
        step = body.next(result)
      }
    })
    expect(written).toBe(2)
    expect(await rowsOf('unread')).toBe(before)
    expect(await counts(members[999]!)).toEqual({ '': [1, 0] })
  })

  it('of somebody with rules of their own follow these, and cost nothing while they are silent', async () => {
    const silenced = new Map<string, UnreadOutcome>([[user('b'), { ...SILENT, lasting: true }]])
    await batch(joins(user('a')), joins(user('b')), joins(user('c')))
    await batch(says({}))
    for (let i = 0; i < 3; i++) await batch(says({ special: silenced }))
    expect(await counts(user('b'))).toEqual({ '': [1, 0] })
    const own = await store.read('own', () => all('SELECT * FROM unread WHERE own = 1'))
    expect(own).toHaveLength(1)
    await batch(says({ special: new Map([[user('b'), { ...MENTION, lasting: true }]]) }))
    expect(await counts(user('b'))).toEqual({ '': [2, 1] })
    expect(await counts(user('c'))).toEqual({ '': [5, 0] })
    await batch(says({ reader: user('b') }))
    expect(await counts(user('b'))).toEqual({})
  })

  it('begin at nothing for who comes in later, in threads that are older too', async () => {
    await batch(joins(user('a')))
    await batch(says({ thread: '$t' }), says({}), says({ thread: '$u' }))
    await batch(joins(user('b')))
    expect(await counts(user('b'))).toEqual({})
    await batch(says({ thread: '$t' }))
    expect(await counts(user('b'))).toEqual({ $t: [1, 0] })
    expect(await counts(user('a'))).toEqual({ '': [1, 0], $t: [2, 0], $u: [1, 0] })
    await batch(leaves(user('b')))
    await batch(joins(user('b')), says({ thread: '$u' }))
    expect(await counts(user('b'))).toEqual({ $u: [1, 0] })
  })
})

describe('any course of events', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'gives the counts that counting one by one gives (seed %i)',
    async (seed) => {
      const below = wholeNumbersFrom(seed)
      const users = Array.from({ length: 5 }, (_, i) => user(i))
      const threads = ['', '$t', '$u', '$v']
      const model = new Map<string, Map<string, [number, number]>>()
      const pick = <T>(list: readonly T[]): T => list[below(list.length)]!
      const outcomes = [SILENT, LOUD, MENTION]
      /** Some keep to their rules for long. */
      const habit = new Map(users.map((userId) => [userId, below(3)]))

      const one = (): Pick<Pending, 'stateChanges' | 'unread'> => {
        const userId = pick(users)
        const what = below(10)
        if (what < 2 && !model.has(userId)) {
          model.set(userId, new Map())
          return joins(userId)
        }
        if (what === 2 && model.delete(userId)) return leaves(userId)
        const thread = pick(threads)
        const common = pick([SILENT, LOUD, LOUD, LOUD, MENTION])
        const reader = model.has(userId) && below(2) === 0 ? userId : undefined
        const special = new Map<string, UnreadOutcome>()
        for (const member of model.keys()) {
          if (member === reader) continue
          if (habit.get(member) === 1)
            special.set(member, { ...pick([SILENT, SILENT, MENTION]), lasting: true })
          else if (below(6) === 0) special.set(member, { ...pick(outcomes), lasting: false })
        }
        for (const [member, counted] of model) {
          const outcome = special.get(member) ?? common
          const [notify, highlight] = counted.get(thread) ?? [0, 0]
          if (member === reader) counted.delete(thread)
          else if (outcome.notify) counted.set(thread, [notify + 1, highlight + (outcome.highlight ? 1 : 0)])
        }
        return says({ thread, common, reader, special })
      }

      for (let step = 0; step < 120; step++) {
        await batch(...Array.from({ length: 1 + below(4) }, one))
        const reading = pick(users)
        const mine = model.get(reading)
        if (below(4) === 0 && mine !== undefined) {
          // A receipt: what is left is counted anew.
          for (const thread of threads) if (below(3) > 0) mine.delete(thread)
          const left = [...mine].map(([thread, [notify, highlight]]) => ({ thread, notify, highlight }))
          await store.write('receipt', () => replaceUnread(ROOM, reading, left))
        }
        for (const [userId, counted] of model) {
          expect([step, userId, await counts(userId)]).toEqual([
            step,
            userId,
            Object.fromEntries([...counted].toSorted(([a], [b]) => (a < b ? -1 : 1))),
          ])
        }
      }
    },
  )
})
