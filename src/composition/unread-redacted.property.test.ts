import { appendTo } from '../core/append-to.js'
import { afterEach, expect, it } from '@jest/globals'
import { wholeNumbersFrom } from '../platform/testing-numbers.js'
import type { JsonObject } from '../core/json/value.js'
import type { Requester } from '../services/requester.js'
import { unreadOf } from '../storage/tables/unread.js'
import { testServices, type TestServices } from './testing.js'

let node: TestServices
afterEach(() => node.close())

const STEPS = 80

interface Said {
  readonly id: string
  readonly thread: string
  redacted: boolean
}

interface Unread {
  readonly said: Said
  readonly highlight: boolean
}

it.each([1, 2, 3, 4])(
  'what is redacted counts no more, whoever had not read it (course %i)',
  async (seed) => {
    const below = wholeNumbersFrom(seed)
    node = await testServices()
    const { services, store, built } = node
    const alice = await node.user('alice')
    const bob = await node.user('bob')
    const carol = await node.user('carol')
    const dave = await node.user('dave')
    const readers = [bob, carol, dave]
    const { room_id: roomId } = await services.roomCreation.create(alice, { preset: 'public_chat' })
    for (const user of readers) await services.memberships.join(user, { room: roomId, via: [] })
    // Has silenced the room: hears of what names them alone. The other is called by a word.
    await services.ruleEditor.put(carol.userId, 'room', roomId, { actions: [] }, {})
    const loud = ['notify', { set_tweak: 'highlight' }]
    await services.ruleEditor.put(dave.userId, 'content', 'alarm', { pattern: 'alarm', actions: loud }, {})
    const nid = (await built.rooms.context.loader.load(roomId))!.nid

    const unread = new Map<string, Unread[]>()
    const all: Said[] = []
    let txn = 0
    const first = await say('')
    for (const user of readers) await services.receipts.set(user, { roomId, type: 'm.read', eventId: first })

    async function say(thread: string, content: JsonObject = {}): Promise<string> {
      const relation =
        thread === '' ? {} : { 'm.relates_to': { rel_type: 'm.thread', event_id: thread } as JsonObject }
      const { event_id: id } = await services.sending.message(alice, {
        roomId,
        type: 'm.room.message',
        content: { msgtype: 'm.text', body: 'x', ...content, ...relation },
        txnId: `s${txn++}`,
      })
      return id
    }

    async function message(): Promise<void> {
      const roots = all.filter((said) => said.thread === '' && !said.redacted)
      const thread = below(3) === 0 ? (roots[below(roots.length)]?.id ?? '') : ''
      const named = below(3) === 0 ? readers[below(readers.length)] : undefined
      const alarm = below(4) === 0
      const mentions: JsonObject = named === undefined ? {} : { 'm.mentions': { user_ids: [named.userId] } }
      const said = { id: await say(thread, { ...mentions, body: alarm ? 'an alarm' : 'x' }), thread, redacted: false } // prettier-ignore
      all.push(said)
      for (const user of readers) {
        const highlight = user === named || (user === dave && alarm)
        if (user === carol && !highlight) continue
        appendTo(unread, user.userId, { said, highlight })
      }
    }

    async function redact(): Promise<void> {
      // The latest ones rather than others: these are unread.
      const said = all[Math.max(0, all.length - 1 - below(12))]
      if (said === undefined || said.redacted) return
      await services.sending.redact(alice, {
        roomId,
        eventId: said.id,
        txnId: `r${txn++}`,
        reason: undefined,
        extra: {},
      })
      said.redacted = true
      for (const [userId, list] of unread)
        unread.set(
          userId,
          list.filter((item) => item.said !== said),
        )
    }

    async function read(): Promise<void> {
      const user = readers[below(readers.length)]!
      const place = Math.max(0, all.length - 1 - below(5))
      const upTo = all[place]
      if (upTo === undefined) return
      await services.receipts.set(user, { roomId, type: 'm.read', eventId: upTo.id })
      const list = unread.get(user.userId) ?? []
      unread.set(
        user.userId,
        list.filter((item) => all.indexOf(item.said) > place),
      )
    }

    const expected = (user: Requester): string[] => {
      const counts = new Map<string, { notify: number; highlight: number }>()
      for (const { said, highlight } of unread.get(user.userId) ?? []) {
        const { notify, highlight: before } = counts.get(said.thread) ?? { notify: 0, highlight: 0 }
        counts.set(said.thread, { notify: notify + 1, highlight: before + Number(highlight) })
      }
      return [...counts].map(([thread, count]) => `${thread} ${count.notify} ${count.highlight}`).toSorted()
    }
    const counted = async (user: Requester): Promise<string[]> =>
      (await store.read('test', () => unreadOf(user.userId, [nid])))
        .map((row) => `${row.thread} ${row.notify} ${row.highlight}`)
        .toSorted()

    for (let step = 0; step < STEPS; step++) {
      const what = below(10)
      if (what < 6) await message()
      else if (what < 9) await redact()
      else await read()
      for (const user of readers)
        expect([step, user.userId, await counted(user)]).toEqual([step, user.userId, expected(user)])
    }
    expect(all.filter((said) => said.redacted).length).toBeGreaterThan(10)
  },
)

it('also long after, and for each of many whom it had named', async () => {
  node = await testServices()
  const { services, store, built } = node
  const alice = await node.user('alice')
  const { room_id: roomId } = await services.roomCreation.create(alice, { preset: 'public_chat' })
  const named: Requester[] = []
  for (let i = 0; i < 60; i++) {
    const user = await node.user(`named${i}`)
    await services.memberships.join(user, { room: roomId, via: [] })
    named.push(user)
  }
  const nid = (await built.rooms.context.loader.load(roomId))!.nid
  let txn = 0
  const say = async (content: JsonObject): Promise<string> =>
    (
      await services.sending.message(alice, {
        roomId,
        type: 'm.room.message',
        content: { msgtype: 'm.text', body: 'x', ...content },
        txnId: `l${txn++}`,
      })
    ).event_id
  const before = await say({})
  const mentions = { user_ids: named.map(({ userId }) => userId) }
  const target = await say({ 'm.mentions': mentions })
  // Later than what was looked at before there was a way to stop early.
  const later: string[] = []
  for (let i = 0; i < 700; i++) later.push(await say({}))
  const [first, second, third, ...others] = named
  await services.receipts.set(first!, { roomId, type: 'm.read', eventId: before })
  await services.receipts.set(second!, { roomId, type: 'm.read', eventId: target })
  await services.receipts.set(third!, { roomId, type: 'm.read', eventId: later[650]! })
  const counted = async (user: Requester): Promise<readonly [number, number]> => {
    const [row] = await store.read('test', () => unreadOf(user.userId, [nid]))
    return [row?.notify ?? 0, row?.highlight ?? 0]
  }
  const since = await counted(others[0]!)
  expect(since[1]).toBe(1)
  await services.sending.redact(alice, { roomId, eventId: target, txnId: 'r', reason: undefined, extra: {} })
  expect(await counted(first!)).toEqual([700, 0])
  expect(await counted(second!)).toEqual([700, 0])
  expect(await counted(third!)).toEqual([49, 0])
  for (const user of others) expect(await counted(user)).toEqual([since[0] - 1, 0])
})
