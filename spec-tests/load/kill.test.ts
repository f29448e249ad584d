import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { enc, eventually, v3 } from '../harness/client.js'
import { startNode, testAuthority, type Node } from '../harness/node.js'
import { inspectDisk } from './inspect-disk.js'
import { allMessages, pause } from './load.js'
import { expectEachOnce, makeLoadedRooms, startLoad, type Load, type LoadedRooms } from './loaded-node.js'

/** CI kills 50 times. */
const KILLS = Number(process.env['CHANCERY_KILLS'] ?? 10)
const ROOMS = 4
const SENDERS_PER_ROOM = 2
const onSqlite = process.env['CHANCERY_TEST_STORE'] !== 'postgres'

let node: Node
let other: Node
/** The other node, which is down, has joined the shared one. */
let made: LoadedRooms
let load: Load | undefined

beforeAll(async () => {
  const authority = testAuthority()
  node = await startNode({ authority })
  other = await startNode({ authority })
  made = await makeLoadedRooms(node, other, { users: ROOMS * SENDERS_PER_ROOM, rooms: ROOMS })
  await other.stop()
})
afterAll(async () => {
  await Promise.allSettled((load?.senders ?? []).map((sender) => sender.stop()))
  await node?.dispose()
  await other?.dispose()
})

describe(`a node that is killed ${KILLS} times under load`, () => {
  it(
    'keeps every event that it has answered for, whole, and what waits for other servers',
    async () => {
      const { users, rooms } = made
      load = startLoad(made)
      for (let kill = 1; kill <= KILLS; kill++) {
        await load.goesOn()
        // A moment that is another one each time, from in the middle of the first groups to well under way.
        await pause((kill * 137) % 400)
        await node.kill()
        if (onSqlite) {
          const answered = load.answered(true)
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
      for (const sender of load.senders) await sender.stop()
    },
    60_000 + KILLS * 30_000,
  )

  it('has each message exactly once, the repeated ones too', () => expectEachOnce(made, load!))

  it('sends on what waited, once the other server is back', async () => {
    await other.start()
    const { remote, shared } = made
    const promised = load!.toShared.answered
    const last = promised.at(-1)!
    await eventually(
      'the last message arrives',
      async () => {
        const answer = await remote.call('GET', v3(`/rooms/${enc(shared)}/event/${enc(last.eventId)}`))
        return answer.status === 200
      },
      60_000,
    )
    const there = new Set((await allMessages(remote, shared)).map((message) => message.eventId))
    const lost = promised.filter((kept) => !there.has(kept.eventId))
    expect(lost).toEqual([])
  })
})
