import type { Passage } from './finale.js'
import { membersOf, residents } from './residents.js'
import { as, type SimNode } from './sim-node.js'

/** An honest server outside of the room while another honest one is in it; where there is none, one of several goes. */
export async function outsider(passage: Passage, roomId: string): Promise<SimNode | undefined> {
  const { world, pass, chance } = passage
  const there = await residents(passage, roomId)
  const outside = world.nodes.find(
    (node) =>
      node.process !== undefined && node.name !== world.rash && !there.some((one) => one.node === node),
  )
  if (outside !== undefined) return there.length > 0 ? outside : undefined
  if (there.length < 2) return undefined
  const { node } = chance.pick(there)
  for (const userId of await membersOf(node, roomId))
    await pass(node.process!.memberships.leave(as(userId), { roomId }))
  await pass()
  return (await membersOf(node, roomId)).length === 0 ? node : undefined
}
