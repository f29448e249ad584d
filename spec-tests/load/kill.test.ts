import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createRoom, eventually, register, v3, type User } from '../harness/client.js'
import { startNode, testAuthority, type Node } from '../harness/node.js'
import { inspectDisk } from './inspect-disk.js'
import { allMessages, pause, startSender, type Sender } from './load.js'

/** CI kills 50 times. */
const KILLS = Number(process.env['CHANCERY_KILLS'] ?? 10)
const ROOMS = 4
const SENDERS_PER_ROOM = 2
const onSqlite = process.env['CHANCERY_TEST_STORE'] !== 'postgres'
const enc = encodeURIComponent

let node: Node
let other: Node
let users: User[]
let remote: User
let rooms: string[]
/** A room that the other node, which is down, has joined. */
let shared: string
/** The last one sends to the shared room. */
let senders: Sender[] = []

beforeAll(async () => {
  const authority = testAuthority()
  node = await startNode({ authority })
  other = await startNode({ authority })
  users = await Promise.all(
    Array.from({ length: ROOMS * SENDERS_PER_ROOM }, (_, index) => register(node.url, `load${index}`)),
  )
  remote = await register(other.url, 'remote')
  rooms = await Promise.all(users.slice(0, ROOMS).map((user) => createRoom(user, { preset: 'public_chat' })))
  for (const [index, user] of users.slice(ROOMS).entries()) {
    await user.ok('POST', v3(`/join/${enc(rooms[index % ROOMS]!)}`))
  }
  shared = await createRoom(users[0]!, { preset: 'public_chat' })
  await remote.ok('POST', v3(`/join/${enc(shared)}`), {}, { via: node.serverName })
  await eventually('the join is known', async () => {
    const members = await users[0]!.ok('GET', v3(`/rooms/${enc(shared)}/joined_members`))
    return members.joined[remote.userId] !== undefined
  })
  await other.stop()
})
afterAll(async () => {
  await Promise.allSettled(senders.map((sender) => sender.stop()))
  await node?.dispose()
  await other?.dispose()
})

describe(`a node that is killed ${KILLS} times under load`, () => {
  it(
    'keeps every event that it has answered for, whole, and what waits for other servers',
    async () => {
      const toShared = startSender(users[0]!, shared, 'shared', 20)
      const toRooms = users.map((user, index) => startSender(user, rooms[index % ROOMS]!, `sender ${index}`))
      senders = [...toRooms, toShared]
      const answeredNow = (): number => senders.reduce((sum, sender) => sum + sender.answered.length, 0)
      for (let kill = 1; kill <= KILLS; kill++) {
        // The test is one only where the load is real.
        const [all, other] = [answeredNow(), toShared.answered.length]
        await eventually('it answers', () =>
          Promise.resolve(answeredNow() > all + 10 && toShared.answered.length > other),
        )
        // A moment that is another one each time, from in the middle of the first groups to well under way.
        await pause((kill * 137) % 400)
        await node.kill()
        if (onSqlite) {
          const answered = new Map<string, boolean>()
          for (const sender of senders)
            for (const { eventId } of sender.answered) answered.set(eventId, false)
          for (const { eventId } of toShared.answered) answered.set(eventId, true)
          const { events } = inspectDisk(node.folder, answered)
          expect(events).toBeGreaterThanOrEqual(answered.size)
        }
        await node.start()
        for (const [index, roomId] of rooms.entries()) {
          const state = await users[index]!.ok('GET', v3(`/rooms/${enc(roomId)}/state`))
          expect(state.length).toBeGreaterThan(5)
        }
      }
      await pause(200)
      for (const sender of senders) await sender.stop()
    },
    60_000 + KILLS * 10_000,
  )

  it('has each message exactly once, the repeated ones too', async () => {
    for (const [index, roomId] of [...rooms, shared].entries()) {
      const there = await allMessages(users[index % ROOMS]!, roomId)
      const bodies = there.map((message) => message.body)
      expect(new Set(bodies).size).toBe(bodies.length)
      const idOf = new Map(there.map((message) => [message.body, message.eventId]))
      for (const sender of senders) {
        for (const kept of sender.answered) {
          if (kept.roomId === roomId) expect(idOf.get(kept.body)).toBe(kept.eventId)
        }
      }
    }
  })

  it('sends on what waited, once the other server is back', async () => {
    await other.start()
    const last = senders.at(-1)!.answered.at(-1)!
    await eventually(
      'the last message arrives',
      async () => {
        const answer = await remote.call('GET', v3(`/rooms/${enc(shared)}/event/${enc(last.eventId)}`))
        return answer.status === 200
      },
      60_000,
    )
    const there = new Set((await allMessages(remote, shared)).map((message) => message.eventId))
    const lost = senders.at(-1)!.answered.filter((kept) => !there.has(kept.eventId))
    expect(lost).toEqual([])
  })
})
