import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { SqliteDatabase } from '../../src/storage/sqlite-driver.js'
import { createRoom, sendText, v3 } from '../harness/client.js'
import { fed } from '../harness/peer.js'
import { enc, startWorld, textsIn, type Scene, type World } from './world.js'

jest.setTimeout(60_000)

/** What a bad disk, or a bad hand, does to one room; each takes the room's nid. */
const DAMAGES: readonly (readonly [string, readonly string[]])[] = [
  ['no create event', ["DELETE FROM events WHERE room_nid = ? AND type = 'm.room.create'"]],
  ['a version that nobody knows', ["UPDATE rooms SET version = 'lost' WHERE nid = ?"]],
  ['events that are no JSON', ["UPDATE events SET json = '{' WHERE room_nid = ? AND type = 'm.room.message'"]],
  ['a state that is not there', ['DELETE FROM state_nodes WHERE room_nid = ?']],
  ['a state that is garbage', ["UPDATE state_nodes SET data = x'00ff00' WHERE room_nid = ?"]],
  ['heads that are not there', ['UPDATE rooms SET heads = \'["$nothing"]\' WHERE nid = ?']],
  ['heads that are no list', ["UPDATE rooms SET heads = 'x' WHERE nid = ?"]],
  ['no power levels and no joins', ["DELETE FROM events WHERE room_nid = ? AND type IN ('m.room.power_levels', 'm.room.member')"]],
] // prettier-ignore

// The damage is done with SQLite's own means.
const onSqlite = process.env['CHANCERY_TEST_STORE'] === 'postgres' ? describe.skip : describe

onSqlite('a node of whose rooms one is damaged', () => {
  let world: World
  let whole: Scene
  let damaged: Scene[]
  beforeAll(async () => {
    world = await startWorld()
    whole = await world.scene(world.hostile)
    damaged = []
    for (const _ of DAMAGES) {
      const scene = await world.scene(world.hostile)
      await sendText(world.alice, scene.roomId, 'before the damage')
      damaged.push(scene)
    }
    await world.node.stop()
    const database = new SqliteDatabase(join(world.node.folder, 'homeserver.db'))
    try {
      for (const [i, [, statements]] of DAMAGES.entries()) {
        const { roomId } = damaged[i]!
        const row = database.prepare<string[], { nid: number }>('SELECT nid FROM rooms WHERE room_id = ?').get(roomId)! // prettier-ignore
        for (const sql of statements) database.prepare<number[], unknown>(sql).run(row.nid)
      }
    } finally {
      database.close()
    }
    await world.node.start()
  }, 60_000)
  afterAll(() => world?.dispose())

  it('I9: starts, shows the others, and takes what is new in them', async () => {
    await world.othersGoOn()
    expect(await whole.textsAfterMarker()).not.toHaveLength(0)
    const { rooms } = await world.alice.ok('GET', v3('/sync'))
    expect(Object.keys(rooms.join)).toContain(whole.roomId)
    const roomId = await createRoom(world.alice)
    await sendText(world.alice, roomId, 'a new room')
    expect(await textsIn(world.alice, roomId)).toEqual(['a new room'])
  })

  it.each(DAMAGES.map(([what], i) => [what, i] as const))(
    'I9: answers for the one with %s, and goes on',
    async (_what, i) => {
      const { roomId } = damaged[i]!
      const room = enc(roomId)
      const unchecked = { uncheckedBecause: 'the room is damaged' }
      const { alice, hostile } = world
      for (const path of [`/rooms/${room}/messages?dir=b`, `/rooms/${room}/state`, `/rooms/${room}/members`])
        expect((await alice.call('GET', v3(path), unchecked)).status).toBeLessThanOrEqual(500)
      await alice.call('PUT', v3(`/rooms/${room}/send/m.room.message/after`), {
        body: { msgtype: 'm.text', body: 'after' },
        ...unchecked,
      })
      await damaged[i]!.send([damaged[i]!.forge()])
      await hostile.call('GET', fed(`/make_join/${room}/${enc(hostile.user())}?ver=11`), unchecked)
      await alice.call('POST', v3(`/rooms/${room}/leave`), { body: {}, ...unchecked })
      await world.othersGoOn()
      await whole.textsAfterMarker()
      expect((await alice.call('GET', v3('/sync'), unchecked)).status).toBe(200)
    },
  )
})
