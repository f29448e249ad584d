import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createRoom, eventually, sendText, v3, type User } from '../harness/client.js'
import { homeserver, type Homeserver } from '../harness/homeserver.js'
import { testAuthority } from '../harness/node.js'
import { fed, withPeer } from '../harness/peer.js'

const authority = testAuthority()
let server: Homeserver
let alice: User
beforeAll(async () => {
  server = await homeserver({ authority })
  alice = await server.user('alice')
})
afterAll(() => server.dispose())

/** Who has receipts in the room, and for which events, as a first sync shows it. */
async function receiptsIn(roomId: string): Promise<Record<string, string[]>> {
  const { rooms } = await alice.ok('GET', v3('/sync'))
  const found: Record<string, string[]> = {}
  for (const { type, content } of rooms.join[roomId].ephemeral.events) {
    if (type !== 'm.receipt') continue
    for (const [eventId, byType] of Object.entries<Record<string, object>>(content)) {
      for (const userId of Object.keys(byType['m.read'] ?? {})) (found[userId] ??= []).push(eventId)
    }
  }
  return found
}

describe('a receipt of another server', () => {
  const BAD_EVENT_IDS = [
    '',
    '$',
    'x',
    '$\u0000',
    '!room:localhost',
    `$${'x'.repeat(300)}`,
    7,
    null,
    ['$x'],
    { $x: 1 },
  ]
  const BAD: readonly (readonly [string, object])[] = [
    ...BAD_EVENT_IDS.map(
      (id) => [`event id ${JSON.stringify(id)}`.slice(0, 40), { data: { ts: 1 }, event_ids: [id] }] as const,
    ),
    ['no event ids', { data: { ts: 1 } }],
    ['an empty list of event ids', { data: { ts: 1 }, event_ids: [] }],
    ['a thread with a NUL character', { data: { ts: 1, thread_id: '\u0000' }, event_ids: ['$good'] }],
    ['a thread that is no event', { data: { ts: 1, thread_id: 'x' }, event_ids: ['$good'] }],
    ['a thread that is a list', { data: { ts: 1, thread_id: [] }, event_ids: ['$good'] }],
    ['a list in its place', []],
  ]

  it.each(BAD)(
    'with %s is passed over, and the others of its EDU count',
    withReceipts(async ({ bad, good, send, roomId, eventId }, receipt) => {
      await send({ [bad]: receipt, [`@nul\u0000${bad}`]: { data: { ts: 1 }, event_ids: [eventId] }, [good]: { data: { ts: 1 }, event_ids: [eventId] } }) // prettier-ignore
      const found = await eventually('the good receipt', async () => {
        const now = await receiptsIn(roomId)
        return now[good] && now
      })
      expect(found).toEqual({ [good]: [eventId] })
    }),
  )

  it.each([1.5, -5, '1', null, 9_007_199_254_740_991])(
    'with the time %j counts as read now at the latest',
    async (ts) =>
      withReceipts(async ({ good, send, roomId, eventId }) => {
        await send({ [good]: { data: { ts }, event_ids: [eventId] } })
        const found = await eventually('the receipt', async () => (await receiptsIn(roomId))[good])
        expect(found).toEqual([eventId])
      })('', {}),
  )
})

interface Scene {
  readonly roomId: string
  readonly eventId: string
  /** Two users of the other server in the room. */
  readonly bad: string
  readonly good: string
  send(byUser: object): Promise<void>
}

/** A room with an event and two users of another server. */
function withReceipts(
  run: (scene: Scene, receipt: object) => Promise<void>,
): (what: string, receipt: object) => Promise<void> {
  return (_what, receipt) =>
    withPeer(authority, async (_server, peer) => {
      const roomId = await createRoom(alice, { preset: 'public_chat', room_version: '11' })
      const [bad, good] = [peer.user(), peer.user()]
      for (const userId of [bad, good]) await peer.join(roomId, userId)
      const eventId = await sendText(alice, roomId, 'read me')
      await run(
        {
          roomId,
          eventId,
          bad,
          good,
          async send(byUser) {
            const edu = { edu_type: 'm.receipt', content: { [roomId]: { 'm.read': byUser } } }
            const body = { origin: peer.server.name, origin_server_ts: Date.now(), pdus: [], edus: [edu] }
            await peer.ok('PUT', fed(`/send/${Math.random()}`), { body })
          },
        },
        receipt,
      )
    })(server)
}
