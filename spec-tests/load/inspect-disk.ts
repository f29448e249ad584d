import { join } from 'node:path'
import { expect } from '@jest/globals'
import { SqliteDatabase as Database } from '../../src/storage/sqlite-driver.js'

/**
 * What a node leaves on its disk that was killed or whose power was cut, before anything mends it. Throws where it does not fit
 * together. `answered`: events that must be there, and whether each must still wait for another server.
 */
export function inspectDisk(
  folder: string,
  answered: ReadonlyMap<string, boolean>,
): { events: number; outbox: number } {
  const database = new Database(join(folder, 'homeserver.db'), { readonly: true })
  try {
    expect(database.pragma('integrity_check', { simple: true })).toBe('ok')
    const known = new Set(database.prepare<[], string>('SELECT event_id FROM events').pluck().all())
    const outbox = new Set(
      database
        .prepare<[], string>('SELECT e.event_id FROM outbox_pdus o JOIN events e ON e.nid = o.event_nid')
        .pluck()
        .all(),
    )
    const lost = [...answered.keys()].filter((id) => !known.has(id))
    expect(lost).toEqual([])
    const notQueued = [...answered].filter(([id, isShared]) => isShared && !outbox.has(id)).map(([id]) => id)
    expect(notQueued).toEqual([])
    const half = database
      .prepare<[], { room_id: string }>(
        `SELECT r.room_id FROM rooms r WHERE
           EXISTS (SELECT 1 FROM json_each(r.heads) h WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.nid = h.value))
           OR NOT EXISTS (SELECT 1 FROM state_nodes n WHERE n.room_nid = r.nid AND n.hash = r.state_root)
           OR r.last_pos <> (SELECT MAX(e.pos) FROM events e WHERE e.room_nid = r.nid)
           OR r.last_pos > (SELECT pos FROM stream_position WHERE id = 1)`,
      )
      .all()
    expect(half).toEqual([])
    // An event and the client's transaction id are written together or not at all.
    const without = database
      .prepare<[], string>(
        `SELECT event_id FROM events WHERE type = 'm.room.message'
           AND nid NOT IN (SELECT event_nid FROM transaction_keys WHERE event_nid IS NOT NULL)
         LIMIT 5`,
      )
      .pluck()
    expect(without.all()).toEqual([])
    return { events: known.size, outbox: outbox.size }
  } finally {
    database.close()
  }
}
