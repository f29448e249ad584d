import { actor } from './actions.js'
import { as } from './sim-node.js'
import type { Seeded } from './seeded.js'
import type { World } from './world.js'

const ATTEMPTS = 6

/** People who may on two servers whose clocks go alike say something else of one thing in one millisecond. */
export async function actAtOnce(world: World, chance: Seeded, serial: number): Promise<void> {
  const roomId = chance.pick(world.rooms)
  const own = { ...world, chance }
  const one = await actor(own, roomId, 'state')
  let other = one
  for (let i = 0; i < ATTEMPTS && other.node === one.node; i++) {
    const found = await actor(own, roomId, 'state')
    if (found.node.now() === one.node.now()) other = found
  }
  if (one.node === other.node) return
  const type = chance.pick(['m.room.topic', 'm.room.name', 'org.example.note'])
  const sent = await Promise.allSettled(
    [one, other].map(async ({ node, userId }, i) => {
      const content = { topic: `${serial} ${i}`, name: `${serial} ${i}` }
      const answer = await node.process?.sending.state(as(userId), { roomId, type, stateKey: '', content })
      if (answer !== undefined)
        world.acknowledged.push({ node: node.name, roomId, eventId: answer.event_id, at: node.now() })
      return answer
    }),
  )
  if (sent.every((result) => result.status === 'fulfilled' && result.value !== undefined))
    world.counts.set('said at once', (world.counts.get('said at once') ?? 0) + 1)
}
