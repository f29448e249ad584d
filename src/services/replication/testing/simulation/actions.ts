import { powerLevelsOf } from '../../../../core/auth/power-levels.js'
import type { Json, JsonObject } from '../../../../core/json/value.js'
import { isObject } from '../../../../core/json/value.js'
import { liveEvents } from '../../../../storage/tables/events.js'
import { readStateEvent } from '../../../rooms/context.js'
import { actRashly } from './rash-actions.js'
import { contentOf, type World } from './world.js'
import { as, type SimNode } from './sim-node.js'

/** What users do, and how often in proportion. */
const WEIGHTS = {
  message: 30,
  state: 14,
  levels: 10,
  rules: 4,
  ban: 9,
  unban: 5,
  kick: 7,
  invite: 6,
  join: 16,
  leave: 3,
  knock: 2,
  redact: 7,
  devices: 6,
} as const

/** How many of a rash server's actions ask nobody. */
const RASHNESS = 0.4
export type ActionName = keyof typeof WEIGHTS

const LEVELS = [0, 0, 25, 50, 50, 75, 100]

function changedLevels(world: World, before: JsonObject): JsonObject {
  const { chance } = world
  if (chance.chance(0.7)) {
    const users = isObject(before['users']) ? before['users'] : {}
    const user = chance.pick(world.users)
    if (chance.chance(0.2)) {
      const { [user]: _, ...rest } = users
      return { ...before, users: rest }
    }
    return { ...before, users: { ...users, [user]: chance.pick(LEVELS) } }
  }
  const name = chance.pick(['ban', 'kick', 'invite', 'redact', 'state_default', 'users_default'])
  const most = name === 'users_default' ? 0 : LEVELS.length - 2
  return { ...before, [name]: LEVELS[chance.int(0, most)]! }
}

function changedRules(world: World, roomId: string): JsonObject {
  const { chance } = world
  const version = Number(world.versionOf.get(roomId))
  const allow: Json = [{ type: 'm.room_membership', room_id: world.rooms[0]! }]
  const rules: JsonObject[] = [{ join_rule: 'public' }, { join_rule: 'public' }, { join_rule: 'invite' }]
  if (version >= 7) rules.push({ join_rule: 'knock' })
  if (version >= 8) rules.push({ join_rule: 'restricted', allow }, { join_rule: 'restricted', allow })
  if (version >= 10) rules.push({ join_rule: 'knock_restricted', allow })
  return chance.pick(rules)
}

const NEEDS_POWER: ReadonlySet<ActionName> = new Set([
  'state',
  'levels',
  'rules',
  'ban',
  'unban',
  'kick',
  'invite',
])

/** Anybody, but mostly somebody who may do it as far as their own server knows: refusals teach little. */
export async function actor(
  world: World,
  roomId: string,
  name: ActionName,
): Promise<{ readonly node: SimNode; readonly userId: string }> {
  const { chance } = world
  const candidates = Array.from({ length: 6 }, () => {
    const node = chance.pick(world.nodes)
    return { node, userId: chance.pick(node.users) }
  })
  if (name === 'devices' || chance.chance(0.1)) return candidates[0]!
  for (const candidate of candidates) {
    const { process } = candidate.node
    const room = await process?.context.loader.load(roomId)
    if (process === undefined || room === undefined) continue
    const { context } = process
    const member = await readStateEvent(context, room, 'm.room.member', candidate.userId)
    const isIn = member?.event.content['membership'] === 'join'
    if (name === 'join' || name === 'knock') {
      if (!isIn) return candidate
      continue
    }
    if (!isIn) continue
    if (!NEEDS_POWER.has(name)) return candidate
    const create = await readStateEvent(context, room, 'm.room.create', '')
    const power = await readStateEvent(context, room, 'm.room.power_levels', '')
    const levels = powerLevelsOf(create?.event, power?.event)
    if (levels.user(candidate.userId) >= levels.ban) return candidate
  }
  return candidates[0]!
}

/** One user does something somewhere. Rejects with what the server says of it. */
export async function act(world: World, serial: number): Promise<void> {
  const { chance } = world
  const roomId = chance.pick(world.rooms)
  const other = chance.pick(world.users)
  const name = chance.weighted(WEIGHTS)
  const { node, userId } = await actor(world, roomId, name)
  const { process } = node
  if (process === undefined) return
  if (node.name === world.rash && chance.chance(RASHNESS))
    return actRashly(world, process, roomId, userId, serial)
  const { memberships, sending } = process
  const sent = ({ event_id: eventId }: { event_id: string }): void =>
    void world.acknowledged.push({ node: node.name, roomId, eventId, at: node.now() })
  const state = async (type: string, stateKey: string, what: JsonObject): Promise<void> =>
    sent(await sending.state(as(userId), { roomId, type, stateKey, content: what }))

  switch (name) {
    case 'message':
      return sent(
        await sending.message(as(userId), {
          roomId,
          type: 'm.room.message',
          txnId: `t${serial}`,
          content: { msgtype: 'm.text', body: `message ${serial}` },
        }),
      )
    case 'state':
      return chance.chance(0.5)
        ? state('m.room.topic', '', { topic: `topic ${serial}` })
        : state('org.example.note', chance.pick(['', 'a', 'b', '__proto__']), { note: serial })
    case 'levels': {
      const before = await contentOf(process, roomId, 'm.room.power_levels')
      return before === undefined ? undefined : state('m.room.power_levels', '', changedLevels(world, before))
    }
    case 'rules':
      return state('m.room.join_rules', '', changedRules(world, roomId))
    case 'ban':
    case 'unban':
    case 'kick':
    case 'invite':
      return memberships[name](as(userId), { roomId, userId: other })
    case 'join': {
      const via = chance.pick(world.nodes).name
      await memberships.join(as(userId), { room: roomId, via: [via, world.nodes[0]!.name] })
      return
    }
    case 'knock':
      await memberships.knock(as(userId), { room: roomId, via: [world.nodes[0]!.name] })
      return
    case 'leave':
      return memberships.leave(as(userId), { roomId })
    case 'redact': {
      const room = await process.context.loader.load(roomId)
      if (room === undefined) return
      const rows = await process.context.store.read('sim.recent', () =>
        liveEvents(room.nid, 0, Number.MAX_SAFE_INTEGER, 20),
      )
      // In version 8 a redacted join says no more who let the user in: its own room could not be joined then.
      const fit = rows.filter((row) => row.type !== 'm.room.member' || world.versionOf.get(roomId) !== '8')
      if (fit.length === 0) return
      const eventId = chance.pick(fit).event_id
      return sent(
        await sending.redact(as(userId), {
          roomId,
          eventId,
          txnId: `r${serial}`,
          reason: undefined,
          extra: {},
        }),
      )
    }
    case 'devices': {
      const message = { [other]: { DEVICE: { body: `mail ${serial}` } } }
      await process.toDevice.send(as(userId), 'org.example.mail', `d${serial}`, message)
      world.mail.push({ body: `mail ${serial}`, to: other, from: node.name })
      return
    }
  }
}
