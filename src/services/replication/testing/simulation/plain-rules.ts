import type { RoomEvent } from '../../../../core/event/types.js'
import { serverNameOf } from '../../../../core/ids/server-name-of.js'
import { isObject, type JsonObject } from '../../../../core/json/value.js'

type Lookup = (type: string, stateKey: string) => RoomEvent | undefined

/**
 * The parts of the authorisation rules that matter most, written once more and plainly, from the specification and not from
 * `core/auth`: whoever speaks is in the room, nobody does what their power does not reach, the banned stay outside. Gives the
 * rule that is broken. What it passes may still be refused for finer reasons.
 * SPEC: https://spec.matrix.org/v1.19/rooms/v12/#authorization-rules
 */
export function brokenRule(event: RoomEvent, state: Lookup): string | undefined {
  if (event.type === 'm.room.create') return undefined
  const create = state('m.room.create', '')
  if (create === undefined) return 'the room has no beginning'
  const power = powersOf(create, state('m.room.power_levels', '')?.content)
  const membership = (userId: string): unknown => state('m.room.member', userId)?.content['membership']
  const own = power.of(event.sender)
  if (event.type === 'm.room.member') return brokenMembership()
  if (membership(event.sender) !== 'join') return 'who speaks is not in the room'
  const isState = event.stateKey !== undefined
  if (own < power.toSend(event.type, isState)) return 'too little power to send it'
  if (event.stateKey?.startsWith('@') === true && event.stateKey !== event.sender)
    return "the state of somebody else's name"
  return undefined

  function brokenMembership(): string | undefined {
    const target = event.stateKey!
    const before = membership(target)
    const self = target === event.sender
    const isIn = membership(event.sender) === 'join'
    const rule = state('m.room.join_rules', '')?.content['join_rule'] ?? 'invite'
    switch (event.content['membership']) {
      case 'join': {
        if (!self) return 'a join by somebody else'
        const founds = event.prevEvents.length === 1 && event.prevEvents[0] === create!.id
        if (founds && event.sender === create!.sender) return undefined
        if (before === 'ban') return 'a join of somebody banned'
        if (before === 'join' || before === 'invite' || rule === 'public') return undefined
        if (rule !== 'restricted' && rule !== 'knock_restricted') return 'a join without an invite'
        const by = event.content['join_authorised_via_users_server']
        if (typeof by !== 'string' || membership(by) !== 'join')
          return 'a join that nobody in the room let in'
        return power.of(by) < power.needed('invite', 0) ? 'a join let in by somebody who may not' : undefined
      }
      case 'invite':
        if (!isIn) return 'an invite from outside'
        if (before === 'join' || before === 'ban') return 'an invite of somebody who is in or banned'
        return own < power.needed('invite', 0) ? 'too little power to invite' : undefined
      case 'leave':
        if (self) return before === 'join' || before === 'invite' || before === 'knock' ? undefined : 'a leave of nobody' // prettier-ignore
        if (!isIn) return 'a kick from outside'
        if (before === 'ban' && own < power.needed('ban', 50)) return 'too little power to unban'
        return own < power.needed('kick', 50) || own <= power.of(target)
          ? 'too little power to kick'
          : undefined
      case 'ban':
        if (!isIn) return 'a ban from outside'
        return own < power.needed('ban', 50) || own <= power.of(target)
          ? 'too little power to ban'
          : undefined
      case 'knock':
        if (rule !== 'knock' && rule !== 'knock_restricted') return 'a knock where none is heard'
        return !self || before === 'ban' || before === 'join' ? 'a knock of somebody in or banned' : undefined
      default:
        return 'no membership at all'
    }
  }
}

/** Whether a redaction may take effect on an event. */
export function mayRedactPlainly(redaction: RoomEvent, target: RoomEvent, state: Lookup): boolean {
  if (serverNameOf(redaction.sender) === serverNameOf(target.sender)) return true
  const create = state('m.room.create', '')
  if (create === undefined) return false
  const power = powersOf(create, state('m.room.power_levels', '')?.content)
  return power.of(redaction.sender) >= power.needed('redact', 50)
}

function powersOf(create: RoomEvent, levels: JsonObject | undefined) {
  const version = Number(create.content['room_version'] ?? 1)
  const number = (value: unknown): number | undefined =>
    typeof value === 'number' || (typeof value === 'string' && version < 10) ? Number(value) : undefined
  const within = (map: string, key: string): number | undefined => {
    const object = levels?.[map]
    return isObject(object) && Object.hasOwn(object, key) ? number(object[key]) : undefined
  }
  const creator = version >= 11 ? create.sender : create.content['creator']
  const additional = create.content['additional_creators']
  const founders = new Set<unknown>([create.sender, ...(Array.isArray(additional) ? additional : [])])
  const needed = (name: string, otherwise: number): number =>
    (levels === undefined ? undefined : number(levels[name])) ?? otherwise
  return {
    needed,
    of(userId: string): number {
      if (version >= 12 && founders.has(userId)) return Infinity
      if (levels === undefined) return userId === creator ? 100 : 0
      return within('users', userId) ?? needed('users_default', 0)
    },
    toSend: (type: string, isState: boolean): number =>
      within('events', type) ??
      (isState ? needed('state_default', levels === undefined ? 0 : 50) : needed('events_default', 0)),
  }
}
