import { afterEach, expect, it } from '@jest/globals'
import { silentLogger } from '../../../platform/logger.js'
import { membershipOf } from '../../../storage/tables/memberships.js'
import { abandonedImports } from '../../../storage/tables/room-imports.js'
import { one, run } from '../../../storage/tx.js'
import { as, createWorld, type World } from '../testing/handshakes.js'
import { removeAbandonedImports } from './abandoned-imports.js'

let world: World
afterEach(() => world.close())

it('removes what an unfinished join has stored, and neither invitations nor rooms that somebody is in', async () => {
  world = createWorld()
  const a = await world.node('a.example')
  const b = await world.node('b.example')
  const bo = '@bo:b.example'
  const make = async (): Promise<string> =>
    (await a.creation.create(as('@ana:a.example'), { preset: 'public_chat', invite: [bo] })).room_id
  const whole = await make()
  const half = await make()
  await b.memberships.join(as(bo), { room: whole, via: ['a.example'] })
  await b.memberships.join(as('@cy:b.example'), { room: half, via: ['a.example'] })
  // As a process leaves it that ends right before the last transaction.
  const nid = (await b.context.loader.load(half))!.nid
  await b.store.write('test', function* () {
    yield* run('UPDATE rooms SET state_root = NULL, heads = ?, last_pos = 0 WHERE nid = ?', '[]', nid)
    yield* run('UPDATE events SET outlier = 1, pos = NULL WHERE room_nid = ?', nid)
    yield* run('DELETE FROM memberships WHERE room_nid = ? AND user_id = ?', nid, '@cy:b.example')
  })
  b.context.loader.forget(half)
  await removeAbandonedImports({ store: b.store, logger: silentLogger })

  const count = (table: string) =>
    b.store.read('test', () =>
      one<{ n: number }>(`SELECT COUNT(*) AS n FROM ${table} WHERE room_nid = ?`, nid),
    )
  // The invitation.
  expect(Number((await count('events'))!.n)).toBe(1)
  expect(Number((await count('state_nodes'))!.n)).toBe(0)
  expect(await b.store.read('test', () => abandonedImports(10))).toEqual([])
  const invite = await b.store.read('test', () => membershipOf(nid, bo))
  expect(invite).toMatchObject({ membership: 'invite', local: 1 })
  expect((await b.state(whole)).size).toBeGreaterThan(5)
  expect(await b.membership(whole, bo)).toMatchObject({ membership: 'join' })
})
