import type { World } from './world.js'
import { residents } from './residents.js'
import type { Seeded } from './seeded.js'
import { as, type SimNode } from './sim-node.js'
import { FAIR, type Transport } from './transport.js'
import type { VirtualTime } from './virtual-time.js'

/** What the last scenes of a run need of it. */
export interface Passage {
  readonly world: World
  readonly transport: Transport
  readonly time: VirtualTime
  readonly chance: Seeded
  /** Time passes until the work is done; without any, until nothing is left to happen. */
  pass(work?: Promise<unknown>): Promise<void>
}

const SLOW = { ...FAIR, usualMs: 400, slow: 0.5, slowMs: 6_000 }

export function speak(
  { world }: Passage,
  node: SimNode,
  userId: string,
  roomId: string,
  body: string,
): Promise<void> {
  const content = { msgtype: 'm.text', body }
  return node
    .process!.sending.message(as(userId), { roomId, type: 'm.room.message', txnId: body, content })
    .then(({ event_id: eventId }) => {
      world.acknowledged.push({ node: node.name, roomId, eventId, at: node.now() })
    })
    .catch(() => undefined)
}

/** A server comes into a room while the others talk, over slow lines. */
export async function lateJoin(passage: Passage): Promise<void> {
  const { world, transport, time, pass, chance } = passage
  for (const roomId of world.rooms) {
    const there = await residents(passage, roomId)
    const newcomers = world.nodes.filter(
      (node) => node.process !== undefined && !there.some((one) => one.node === node),
    )
    const newcomer = newcomers.find(({ name }) => name !== world.rash)
    if (newcomer === undefined || there.length === 0) continue
    transport.weather = SLOW
    const via = chance.pick(there).node.name
    time.after(chance.int(0, 2_000), () => {
      newcomer.process!.memberships.join(as(chance.pick(newcomer.users)), { room: roomId, via: [via] }).then(
        () => world.counts.set('late joins', (world.counts.get('late joins') ?? 0) + 1),
        () => undefined,
      )
    })
    // What is said in the very moment in which the newcomer is let in may reach it before the answer does; nothing later refers to it then.
    const last = chance.chance(0.5)
    if (last)
      transport.onServed = ({ path }) => {
        if (!path.includes('/send_join/')) return
        transport.onServed = () => undefined
        const host = there.find(({ node }) => node.name === via)!
        void speak(passage, host.node, host.userId, roomId, 'in the doorway')
      }
    for (let i = chance.int(2, 8); i > 0; i--) {
      const { node, userId } = chance.pick(there)
      time.after(chance.int(0, last ? 1_000 : 12_000), () => void speak(passage, node, userId, roomId, `meanwhile ${i}`)) // prettier-ignore
    }
    await pass()
    transport.onServed = () => undefined
    transport.weather = FAIR
  }
}
