import { freezeNodeList, roomsLivedIn, serversIn } from '../../storage/tables/node-list.js'
import type { Store } from '../../storage/tx.js'

/** Rooms looked at in one read. */
const ROOMS = 100

/**
 * Notes for good which other servers share a room with this node at this moment: when its list has run out for too long, it goes on with these alone.
 */
export async function freezeKnown(store: Store, now: number): Promise<ReadonlySet<string>> {
  const known = new Set<string>()
  let after = 0
  for (;;) {
    const from = after
    const { rooms, servers } = await store.read('nodeList.known', function* () {
      const nids = yield* roomsLivedIn(from, ROOMS)
      return { rooms: nids, servers: yield* serversIn(nids) }
    })
    for (const server of servers) known.add(server)
    const last = rooms.at(-1)
    if (last === undefined || rooms.length < ROOMS) break
    after = last
  }
  await store.write('nodeList.freeze', () => freezeNodeList(now, [...known]))
  return known
}
