import { joinedRoomIds } from '../../../../storage/tables/memberships.js'
import type { SimNode } from './sim-node.js'
import type { World } from './world.js'

/** Users of a node who are in a room by its disk. */
export async function membersOf(node: SimNode, roomId: string): Promise<string[]> {
  const found: string[] = []
  for (const userId of node.users) {
    const rooms = await node.disk.read('sim.joined', () => joinedRoomIds(userId))
    if (rooms.includes(roomId)) found.push(userId)
  }
  return found
}

/** Nodes with somebody in the room who speak for themselves. */
export async function residents(
  { world }: { readonly world: World },
  roomId: string,
): Promise<{ node: SimNode; userId: string }[]> {
  const found: { node: SimNode; userId: string }[] = []
  for (const node of world.nodes) {
    const [userId] = await membersOf(node, roomId)
    if (userId !== undefined && node.process !== undefined && node.name !== world.rash)
      found.push({ node, userId })
  }
  return found
}
