import type { Preset } from '../../../rooms/create-room-input.js'
import type { World } from './world.js'
import { as } from './sim-node.js'

export const VERSIONS = [
  '10',
  '11',
  '12',
  '12',
  '11',
  '10',
  '9',
  '8',
  '7',
  '6',
  '5',
  '4',
  '3',
  '2',
  '1',
] as const

/** The rooms of a run, and most users in them; the weather is fair meanwhile. */
export async function createRooms(
  world: Pick<World, 'nodes' | 'users' | 'rooms' | 'versionOf' | 'chance'>,
): Promise<void> {
  const { chance } = world
  const count = chance.weighted({ one: 13, two: 6, three: 1 })
  for (let i = 0; i < { one: 1, two: 2, three: 3 }[count]; i++) {
    const founder = chance.pick(world.nodes)
    const creator = chance.pick(founder.users)
    const version = chance.pick(VERSIONS)
    const presets: Preset[] = ['public_chat', 'public_chat', 'private_chat', 'trusted_private_chat']
    const preset = chance.pick(presets)
    // Somebody may come much later.
    const outside = chance.chance(0.4) ? chance.pick(world.nodes) : undefined
    const others = world.users.filter(
      (userId) =>
        userId !== creator && chance.chance(0.8) && (outside === founder || !outside?.users.includes(userId)),
    )
    const { room_id: roomId } = await founder.process!.creation.create(as(creator), {
      preset,
      room_version: version,
      invite: preset === 'public_chat' ? [] : others,
      ...(i > 0 && Number(version) >= 8 && chance.chance(0.5)
        ? {
            initial_state: [
              {
                type: 'm.room.join_rules',
                content: {
                  join_rule: 'restricted',
                  allow: [{ type: 'm.room_membership', room_id: world.rooms[0]! }],
                },
              },
            ],
          }
        : {}),
    })
    world.rooms.push(roomId)
    world.versionOf.set(roomId, version)
    for (const userId of others) {
      const node = world.nodes.find((one) => one.users.includes(userId))!
      // Whom a restricted room does not let in stays outside.
      await node
        .process!.memberships.join(as(userId), { room: roomId, via: [founder.name] })
        .catch(() => undefined)
    }
  }
}
