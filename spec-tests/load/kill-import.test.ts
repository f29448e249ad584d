import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { SqliteDatabase as Database } from '../../src/storage/sqlite-driver.js'
import { eventually, register, v3, type User } from '../harness/client.js'
import { foreignRoom, sendPdus, type ForeignRoom } from '../harness/foreign-room.js'
import { startForeignServer, type ForeignServer } from '../harness/foreign-server.js'
import { startNode, testAuthority, type Node } from '../harness/node.js'
import { allMessages, pause } from './load.js'

/** CI kills more often. */
const KILLS = Number(process.env['CHANCERY_IMPORT_KILLS'] ?? 2)
const MEMBERS = 400
const MESSAGES = 120
const onSqlite = process.env['CHANCERY_TEST_STORE'] !== 'postgres'
const enc = encodeURIComponent

let node: Node
let foreign: ForeignServer[]
let user: User
let serial = 0

beforeAll(async () => {
  const authority = testAuthority()
  foreign = await Promise.all([1, 2].map(() => startForeignServer(authority)))
  node = await startNode({ authority })
  user = await register(node.url, 'joiner')
})
afterAll(async () => {
  await node?.dispose()
  await Promise.all((foreign ?? []).map((server) => server.close()))
})

function offer(members: number): ForeignRoom {
  const room = foreignRoom(foreign, members, 1, `kill${serial++}`)
  for (const server of foreign) server.answer = room.answer
  return room
}

const joinRoom = (room: ForeignRoom) =>
  user.call('POST', v3(`/join/${enc(room.roomId)}`), { body: {}, query: { via: foreign[0]!.name } })

/** Rows that the database has of a room, in the tables that a join writes. */
function rowsOf(room: ForeignRoom): { events: number; nodes: number; members: number; root: string | null } {
  const database = new Database(join(node.folder, 'homeserver.db'), { readonly: true })
  try {
    const count = (table: string): number =>
      database
        .prepare<[string], number>(
          `SELECT COUNT(*) FROM ${table} WHERE room_nid = (SELECT nid FROM rooms WHERE room_id = ?)`,
        )
        .pluck()
        .get(room.roomId)!
    const root = database
      .prepare<[string], string | null>('SELECT state_root FROM rooms WHERE room_id = ?')
      .pluck()
      .get(room.roomId)
    return {
      events: count('events'),
      nodes: count('state_nodes'),
      members: count('memberships'),
      root: root ?? null,
    }
  } finally {
    database.close()
  }
}

async function expectWhole(room: ForeignRoom): Promise<void> {
  const members = await user.ok('GET', v3(`/rooms/${enc(room.roomId)}/joined_members`))
  expect(Object.keys(members.joined)).toHaveLength(MEMBERS + 2)
  const state = await user.ok('GET', v3(`/rooms/${enc(room.roomId)}/state`))
  expect(state).toHaveLength(MEMBERS + 5)
}

describe('a node that is killed', () => {
  it(
    `while it joins a room (${KILLS} times) has the room whole or not at all, and can join it again`,
    async () => {
      let absent = 0
      for (let kill = 0; kill < KILLS; kill++) {
        const room = offer(MEMBERS)
        const asked = new Promise<void>((resolve) => {
          room.onAsked = (what) => what === 'send_join' && resolve()
        })
        const joining = joinRoom(room).then(
          (answer) => answer.status,
          () => 0,
        )
        await asked
        // From the first bytes of the answer to about when the room is there.
        await pause(((kill * 0.618) % 1) * 900)
        await node.kill()
        const status = await joining
        const left = onSqlite ? rowsOf(room) : undefined
        await node.start()
        const { joined_rooms: joined } = await user.ok('GET', v3('/joined_rooms'))
        if (joined.includes(room.roomId)) {
          await expectWhole(room)
          continue
        }
        // Who was told that they are in is in.
        expect(status).not.toBe(200)
        absent++
        const state = await user.call('GET', v3(`/rooms/${enc(room.roomId)}/state`))
        expect([403, 404]).toContain(state.status)
        if (left !== undefined) {
          expect(left.root).toBeNull()
          await eventually('what the join had stored is removed', async () => {
            const { events, nodes, members } = rowsOf(room)
            return events + nodes + members === 0
          })
        }
        expect((await joinRoom(room)).status).toBe(200)
        await expectWhole(room)
      }
      // The moments are such that some are in the middle.
      expect(absent).toBeGreaterThan(0)
    },
    60_000 + KILLS * 40_000,
  )

  it(
    `while it fetches what came before an event (${KILLS} times) has all of it in the end, in order and once`,
    async () => {
      const room = offer(3)
      expect((await joinRoom(room)).status).toBe(200)
      const said: string[] = []
      for (let kill = 0; kill < KILLS; kill++) {
        for (let i = 0; i < MESSAGES; i++) said.push(room.say(`gap ${kill} ${i}`).id)
        const end = room.say(`end ${kill}`)
        said.push(end.id)
        let asked = 0
        const under = new Promise<void>((resolve) => {
          room.onAsked = (what) => what === 'get_missing_events' && ++asked > kill % 4 && resolve()
        })
        const answer = await sendPdus(foreign[0]!, node, [end])
        expect(answer.pdus[end.id]).toEqual({})
        await under
        await pause(((kill * 0.618) % 1) * 150)
        await node.kill()
        await node.start()
        await eventually(
          'the last event is there',
          async () =>
            (await user.call('GET', v3(`/rooms/${enc(room.roomId)}/event/${enc(end.id)}`))).status === 200,
        )
      }
      const there = (await allMessages(user, room.roomId)).map(({ eventId }) => eventId)
      expect(there).toEqual(said.toReversed())
    },
    60_000 + KILLS * 40_000,
  )

  it(
    `while it fetches history (${KILLS} times) has all of it in the end, in order and once`,
    async () => {
      const room = offer(3)
      const said: string[] = []
      for (let i = 0; i < MESSAGES; i++) said.push(room.say(`history ${i}`).id)
      expect((await joinRoom(room)).status).toBe(200)
      for (let kill = 0; kill < KILLS; kill++) {
        const under = new Promise<void>((resolve) => {
          room.onAsked = (what) => what === 'backfill' && resolve()
        })
        const scrolling = allMessages(user, room.roomId).catch(() => undefined)
        await Promise.race([under, scrolling])
        await pause(((kill * 0.618) % 1) * 150)
        await node.kill()
        await scrolling
        await node.start()
      }
      const there = (await allMessages(user, room.roomId)).map(({ eventId }) => eventId)
      expect(there).toEqual(said.toReversed())
    },
    60_000 + KILLS * 40_000,
  )
})
