import { inRoom } from './client.mjs'
import { spent } from './gauges.mjs'
import { quantiles } from './numbers.mjs'
import { memberOf } from './world.mjs'

/** Not counted: the code is compiled meanwhile, on threads of the node. */
const WARM_MS = 3_000
let serial = 0

export const sendPath = (room, tag) => inRoom(room.roomId, `/send/m.room.message/${tag}-${serial++}`)
export const message = (text) => ({ msgtype: 'm.text', body: text })

async function load(client, world, senders, rooms, ms) {
  const waits = []
  const until = performance.now() + ms
  await Promise.all(
    Array.from({ length: senders }, async (_, index) => {
      const room = world.rooms[index % rooms]
      const place = Math.floor(index / rooms) % world.members
      const { token } = memberOf(world.users, room, place)
      while (performance.now() < until) {
        const before = performance.now()
        await client.text('PUT', sendPath(room, `s${index}`), token, message(`a message of ${index}`))
        waits.push(performance.now() - before)
      }
    }),
  )
  return waits
}

/** So many senders, each with one request under way, spread over so many rooms. */
export async function measureSends(client, world, { senders, rooms, seconds }) {
  await load(client, world, senders, rooms, WARM_MS)
  const {
    result: waits,
    ms,
    ...node
  } = await spent(client, () => load(client, world, senders, rooms, seconds * 1000))
  return {
    senders,
    rooms,
    sends: waits.length,
    perSecond: (waits.length / ms) * 1000,
    ...quantiles(waits),
    cpuMsPerSend: node.cpuMs / waits.length,
    // Above 1 where threads of the node (syncs of the disk, signatures) work beside the event loop.
    cores: node.cpuMs / ms,
    loopP99Ms: node.loopP99Ms,
    loopMaxMs: node.loopMaxMs,
  }
}
