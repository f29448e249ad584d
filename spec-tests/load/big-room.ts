import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildRooms } from '../../src/composition/rooms.js'
import { roomVersion } from '../../src/core/room-version/versions.js'
import { systemClock } from '../../src/platform/clock.js'
import { createSigner, parseKeyFile } from '../../src/platform/ed25519.js'
import { silentLogger } from '../../src/platform/logger.js'
import { createNotifier } from '../../src/platform/notifier.js'
import { systemRandom } from '../../src/platform/random.js'
import { addLocalEvent } from '../../src/services/rooms/add-local-event.js'
import type { Draft } from '../../src/services/rooms/local-event.js'
import { SqliteDatabase as Database } from '../../src/storage/sqlite-driver.js'
import { openSqlite } from '../../src/storage/sqlite-store.js'

/** Where a node that is not running keeps its things. */
export interface NodeFolder {
  readonly folder: string
  readonly serverName: string
}

export interface BigRoom {
  readonly roomId: string
  /** Rows and bytes of each table before the first of the measured joins and after the last. */
  readonly before: ReadonlyMap<string, TableSize>
  readonly after: ReadonlyMap<string, TableSize>
  /** How many joins were measured. */
  readonly joins: number
}

export interface TableSize {
  readonly rows: number
  readonly bytes: number
}

/** Users that a room is made of. They have no accounts: a state names them all the same. */
export const memberName = (index: number, serverName: string): string => `@member${index}:${serverName}`

const AT_ONCE = 64

/**
 * Makes a public room with so many local members in a node's database, each join an event of its own that the room's
 * writer judges and stores, as over HTTP. Nothing is synced while it does. `others` join first.
 */
export async function makeBigRoom(
  node: NodeFolder,
  owner: string,
  others: readonly string[],
  members: number,
): Promise<BigRoom> {
  const path = join(node.folder, 'homeserver.db')
  const { serverName } = node
  const signer = createSigner(parseKeyFile(readFileSync(join(node.folder, 'signing.key'), 'utf8'))[0]!)
  const store = await openSqlite({ path, durability: 'none' })
  try {
    const { context } = buildRooms({
      store,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
      notifier: createNotifier(),
      serverName,
      signer: { serverName, keyId: signer.keyId, sign: signer.sign },
      defaultRoomVersion: '11',
      memberHooks: { *remoteUsersLeft() {}, *roomLeft() {}, *localUserJoined() {} },
      wakeSender: () => undefined,
    })
    const roomId = `!big-${systemRandom.string(8)}:${serverName}`
    const state = (type: string, sender: string, content: Draft['content'], stateKey = ''): Draft => ({
      type,
      sender,
      stateKey,
      content,
    })
    const join_ = (userId: string): Draft =>
      state('m.room.member', userId, { membership: 'join', displayname: `Member ${userId}` }, userId)
    await context.writer.create(roomId, roomVersion('11')!, async (room) => {
      for (const draft of [
        state('m.room.create', owner, { room_version: '11' }),
        join_(owner),
        state('m.room.power_levels', owner, { users: { [owner]: 100 } }),
        state('m.room.join_rules', owner, { join_rule: 'public' }),
        state('m.room.history_visibility', owner, { history_visibility: 'shared' }),
        ...others.map(join_),
      ]) {
        await addLocalEvent(room, draft, context.local)
      }
    })
    const before = tableSizes(path)
    for (let from = 0; from < members; from += AT_ONCE) {
      const part = Array.from({ length: Math.min(AT_ONCE, members - from) }, (_, index) => from + index)
      await Promise.all(
        part.map((index) =>
          context.writer.write(roomId, (room) =>
            addLocalEvent(room, join_(memberName(index, serverName)), context.local),
          ),
        ),
      )
    }
    return { roomId, before, after: tableSizes(path), joins: members }
  } finally {
    await store.close()
  }
}

/** Rows, and bytes with indexes, of the tables of state and of events. */
function tableSizes(path: string): Map<string, TableSize> {
  const database = new Database(path, { readonly: true })
  try {
    const bytes = database
      .prepare<[string], number>(
        `SELECT SUM(pgsize) FROM dbstat WHERE aggregate = TRUE AND name IN (SELECT name FROM sqlite_schema WHERE tbl_name = ?)`,
      )
      .pluck()
    return new Map(
      ['events', 'state_nodes', 'state_keys', 'state_deltas', 'memberships'].map((table) => [
        table,
        {
          rows: database.prepare<[], number>(`SELECT COUNT(*) FROM ${table}`).pluck().get()!,
          bytes: bytes.get(table)!,
        },
      ]),
    )
  } finally {
    database.close()
  }
}

/**
 * Writes so many message events straight into the tables, a few at a time into each of some rooms, as if they had come
 * long ago. They are never judged nor hashed: they are there to make the database large.
 */
export function fillWithEvents(node: NodeFolder, events: number, rooms: number): void {
  const database = new Database(join(node.folder, 'homeserver.db'))
  try {
    database.pragma('synchronous = OFF')
    const first = database.prepare<[], number>('SELECT MAX(nid) FROM events').pluck().get()! + 1
    let pos = database.prepare<[], number>('SELECT pos FROM stream_position WHERE id = 1').pluck().get()!
    const firstRoom = database.prepare<[], number>('SELECT MAX(nid) FROM rooms').pluck().get()! + 1
    const room = database.prepare(
      `INSERT INTO rooms (nid, room_id, version, rev, state_root, heads, last_pos, published) VALUES (?, ?, '11', 1, NULL, '[]', ?, 0)`,
    )
    const event = database.prepare(
      `INSERT INTO events (nid, event_id, room_nid, type, sender, depth, ts, pos, ord, outlier, soft_failed, auth, json)
       VALUES (?, ?, ?, 'm.room.message', ?, ?, 0, ?, ?, 0, 0, '[]', ?)`,
    )
    const sender = memberName(0, node.serverName)
    database.transaction(() => {
      for (let index = 0; index < events; index++) {
        const nid = first + index
        pos++
        const json = JSON.stringify({
          type: 'm.room.message',
          sender,
          content: { msgtype: 'm.text', body: `an old message, number ${index}` },
          depth: index,
          origin_server_ts: 0,
          prev_events: [],
          auth_events: [],
          hashes: { sha256: 'x'.repeat(43) },
          signatures: { [node.serverName]: { 'ed25519:1': 'x'.repeat(86) } },
        })
        const id = `$${String(nid).padStart(43, '0')}`
        event.run(nid, id, firstRoom + (index % rooms), sender, index, pos, pos, json)
      }
      for (let index = 0; index < rooms; index++) {
        room.run(firstRoom + index, `!old${firstRoom + index}:${node.serverName}`, pos)
      }
      database.prepare('UPDATE stream_position SET pos = ?').run(pos)
      for (const [kind, next] of [
        ['event', first + events],
        ['room', firstRoom + rooms],
      ]) {
        database.prepare('UPDATE nid_allocators SET next = MAX(next, ?) WHERE kind = ?').run(next, kind)
      }
    })()
    database.pragma('wal_checkpoint(TRUNCATE)')
  } finally {
    database.close()
  }
}
