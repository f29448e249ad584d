import { expect } from '@jest/globals'
import type { Answer, User } from '../harness/client.js'
import { expectAsAlone } from '../harness/events.js'
import { createRoom, enc, inRoom, refusal, section, sendText, sharedRoom } from '../harness/section.js'

const v1 = (roomId: string, rest: string): string => `/_matrix/client/v1/rooms/${enc(roomId)}/${rest}`
let counter = 0
async function relate(
  user: User,
  roomId: string,
  to: string,
  relType: string,
  type = 'm.room.message',
): Promise<string> {
  const content = { body: 'x', msgtype: 'm.text', 'm.relates_to': { rel_type: relType, event_id: to } }
  return (await user.ok('PUT', inRoom(roomId, `send/${type}/r${Date.now()}-${counter++}`), content)).event_id
}
const ids = ({ chunk }: { chunk: { event_id: string }[] }): string[] => chunk.map((event) => event.event_id)

section(
  'Forming relationships and threading',
  'client-server-api/#forming-relationships-between-events',
  (operation) => {
    for (const [id, rest] of [
      ['getRelatingEvents', ''],
      ['getRelatingEventsWithRelType', '/m.thread'],
      ['getRelatingEventsWithRelTypeAndEventType', '/m.thread/m.room.message'],
    ] as const) {
      const template = ['', '/{relType}', '/{relType}/{eventType}'][rest.split('/').length - 1]!
      operation(
        id,
        `GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}${template}`,
        ({ success, error, authorisation }) => {
          success('lists what relates to an event, newest first, in pages', async (server) => {
            const [alice, bob] = [await server.user('alice'), await server.user('bob')]
            const roomId = await sharedRoom(alice, [bob])
            const root = await sendText(alice, roomId, 'root')
            await sendText(alice, roomId, 'unrelated')
            const inThread = [
              await relate(bob, roomId, root, 'm.thread'),
              await relate(bob, roomId, root, 'm.thread'),
            ]
            const others = [
              await relate(bob, roomId, root, 'm.thread', 'org.example.other'),
              await relate(bob, roomId, root, 'm.reference'),
            ]
            const expected = [
              ...inThread,
              ...others.slice(0, [2, 1, 0][rest.split('/').length - 1]),
            ].reverse()
            const path = v1(roomId, `relations/${enc(root)}${rest}`)
            const all = await alice.ok('GET', path)
            expect(ids(all)).toEqual(expected)
            expect(all.chunk.at(-1)).toMatchObject({
              sender: bob.userId,
              room_id: roomId,
              type: 'm.room.message',
              content: { body: 'x' },
            })
            await expectAsAlone(server, alice, roomId, all.chunk)
            const first = await alice.ok('GET', path, undefined, { limit: 1 })
            expect(ids(first)).toEqual(expected.slice(0, 1))
            const second = await alice.ok('GET', path, undefined, { limit: 1, from: first.next_batch })
            expect(ids(second)).toEqual(expected.slice(1, 2))
            const back = { limit: 1, dir: 'f', from: second.prev_batch }
            expect(typeof back.from).toBe('string')
            expect(ids(await alice.ok('GET', path, undefined, back))).toEqual(expected.slice(0, 1))
            expect(ids(await alice.ok('GET', path, undefined, { dir: 'f' }))).toEqual([...expected].reverse())
          })
          error('knows no unknown event', async (server) => {
            const alice = await server.user('alice')
            const path = v1(await createRoom(alice), `relations/${enc('$none')}${rest}`)
            await refusal(alice.call('GET', path), 404, 'M_NOT_FOUND')
          })
          authorisation('is for members', async (server) => {
            const [alice, bob] = [await server.user('alice'), await server.user('bob')]
            const roomId = await createRoom(alice)
            const path = v1(roomId, `relations/${enc(await sendText(alice, roomId, 'x'))}${rest}`)
            const { status, body } = await bob.call('GET', path)
            expect(['403 M_FORBIDDEN', '404 M_NOT_FOUND']).toContain(`${status} ${body.errcode}`)
          })
        },
      )
    }
    operation(
      'getThreadRoots',
      'GET /_matrix/client/v1/rooms/{roomId}/threads',
      ({ success, error, authorisation }) => {
        success('lists the threads, the liveliest first, all or one’s own', async (server) => {
          const [alice, bob] = [await server.user('alice'), await server.user('bob')]
          const roomId = await sharedRoom(alice, [bob])
          const [one, two] = [await sendText(alice, roomId, 'one'), await sendText(alice, roomId, 'two')]
          await sendText(alice, roomId, 'no thread')
          await relate(alice, roomId, two, 'm.thread')
          const last = await relate(bob, roomId, one, 'm.thread')
          const path = v1(roomId, 'threads')
          const all = await alice.ok('GET', path)
          expect(ids(all)).toEqual([one, two])
          await expectAsAlone(server, alice, roomId, all.chunk)
          expect(all.chunk[0]).toMatchObject({
            content: { body: 'one' },
            unsigned: {
              'm.relations': {
                'm.thread': { count: 1, latest_event: { event_id: last, sender: bob.userId } },
              },
            },
          })
          expect(ids(await bob.ok('GET', path, undefined, { include: 'participated' }))).toEqual([one])
          const first = await alice.ok('GET', path, undefined, { limit: 1 })
          expect(ids(first)).toEqual([one])
          expect(ids(await alice.ok('GET', path, undefined, { limit: 1, from: first.next_batch }))).toEqual([
            two,
          ])
        })
        error('refuses what is neither all nor participated', async (server) => {
          const alice = await server.user('alice')
          const path = v1(await createRoom(alice), 'threads')
          await refusal(
            alice.call('GET', path, { query: { include: 'x' } }) as Promise<Answer>,
            400,
            'M_INVALID_PARAM',
          )
        })
        authorisation('is for members', async (server) => {
          const [alice, bob] = [await server.user('alice'), await server.user('bob')]
          await refusal(bob.call('GET', v1(await createRoom(alice), 'threads')), 403, 'M_FORBIDDEN')
        })
      },
    )
  },
)
