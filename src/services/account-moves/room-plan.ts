import { isExternal } from '../../core/access-rules/access-policy.js'
import { ADMINISTRATOR } from '../../core/access-rules/last-administrator.js'
import { ACCESS_RULES, roomAccess } from '../../core/access-rules/room-access.js'
import { ACCOUNT_MOVE } from '../../core/account-move/move-certificate.js'
import { isOpenTo } from '../../core/auth/check.js'
import type { PowerLevels } from '../../core/auth/power-levels.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import type { JsonObject } from '../../core/json/value.js'
import { aclDenies } from '../../core/server-acl.js'
import { readState, type RoomsContext } from '../rooms/context.js'
import { CREATE, POWER_LEVELS, powerLevelsIn } from '../rooms/room-power.js'
import type { StoredEvent } from '../rooms/stored-event.js'
import { mapKey, membershipIn, type RoomSnapshot } from '../rooms/working-room.js'

/**
 * How the new account comes into a room: it is in it; the old one invites it; the same in a direct room, where the certificate makes room for it; it can
 * join or ask by itself; not at all.
 */
export type Entrance = 'inside' | 'invite' | 'certificate' | 'alone' | 'closed'

/** What becomes of one room of an account that moves. */
export interface RoomPlan {
  readonly room: RoomSnapshot
  readonly name: string | undefined
  readonly entrance: Entrance
  /** Of a room that cannot be entered in this way, or only alone: why. */
  readonly why: string | undefined
  readonly isDirect: boolean
  readonly isEncrypted: boolean
  readonly isTied: boolean
  /** Whether the old account may say something in it. */
  readonly maySpeak: boolean
  /** What the new account gets of its power: all, none as there is none, or why it does not. */
  readonly power: 'none' | 'handed-over' | 'creator' | 'kept'
  readonly levels: PowerLevels
  readonly create: StoredEvent
  readonly levelsEvent: StoredEvent | undefined
  readonly newMembership: string | undefined
  /** The room that replaces this one, where it says so. */
  readonly replacement: string | undefined
}

const state = (type: string, stateKey = '') => ({ type, stateKey })
const [JOIN_RULES, ENCRYPTION, NAME, ACL, TOMBSTONE] = [
  'm.room.join_rules',
  'm.room.encryption',
  'm.room.name',
  'm.room.server_acl',
  'm.room.tombstone',
].map((type) => state(type)) as [Key, Key, Key, Key, Key]
type Key = ReturnType<typeof state>

/** Looks at a room as it is now; undefined where the old account is not in it. */
export async function planRoom(
  context: RoomsContext,
  roomId: string,
  oldUser: string,
  newUser: string,
): Promise<RoomPlan | undefined> {
  const room = await context.loader.load(roomId)
  if (room?.root === undefined) return undefined
  const [oldMember, newMember] = [state('m.room.member', oldUser), state('m.room.member', newUser)]
  const tie = state(ACCOUNT_MOVE, oldUser)
  const found = await readState(context, room, [
    CREATE, POWER_LEVELS, ACCESS_RULES, JOIN_RULES, ENCRYPTION, NAME, ACL, TOMBSTONE, oldMember, newMember, tie,
  ]) // prettier-ignore
  const of = (key: Key): StoredEvent | undefined => found.get(mapKey(key))
  const content = (key: Key): JsonObject => of(key)?.event.content ?? {}
  const create = of(CREATE)
  if (create === undefined || membershipIn(of(oldMember)) !== 'join') return undefined
  const levels = powerLevelsIn(found)
  const { access } = context.local
  const rules = access === undefined ? undefined : roomAccess(of(ACCESS_RULES)?.event.content)
  const isDirect = rules?.rule === 'direct'
  const own = levels.user(oldUser)
  const target = serverNameOf(newUser) ?? ''
  const newMembership = membershipIn(of(newMember))
  const isTied = of(tie) !== undefined

  function entrance(): readonly [Entrance, string?] {
    if (newMembership === 'join') return ['inside']
    if (newMembership === 'ban') return ['closed', 'The new account is banned from this room']
    if (!isOpenTo(create!.event, newUser)) return ['closed', 'This room is for users of one server alone']
    if (of(ACL) !== undefined && aclDenies(content(ACL), target))
      return ['closed', 'This room shuts out the server of the new account']
    if (rules?.rule === 'restricted' && access !== undefined && isExternal(newUser, access))
      return ['closed', 'This room is not open to external accounts']
    const mayInvite = newMembership === 'invite' || own >= levels.invite
    if (isDirect && !isTied && own < levels.event(ACCOUNT_MOVE, true))
      return ['closed', 'In this direct conversation the old account has not the power to say that it moves']
    if (mayInvite) return [isDirect ? 'certificate' : 'invite']
    switch (content(JOIN_RULES)['join_rule']) {
      case 'public':
        return ['alone', 'Everybody may join this room, and the old account may not invite']
      case 'restricted':
      case 'knock_restricted':
        return ['alone', 'Members of certain other rooms may join this room; the old account may not invite']
      case 'knock':
        return ['alone', 'The new account can ask to be let in; the old one may not invite']
      default:
        return ['closed', 'The old account may not invite anybody: somebody else in the room must']
    }
  }

  function power(): RoomPlan['power'] {
    if (own === Infinity) return 'creator'
    if (own <= levels.user('')) return 'none'
    return own >= levels.event('m.room.power_levels', true) ? 'handed-over' : 'kept'
  }

  const [way, why] = entrance()
  const name = content(NAME)['name']
  const replacement = content(TOMBSTONE)['replacement_room']
  return {
    room,
    name: typeof name === 'string' ? name.slice(0, 200) : undefined,
    entrance: way,
    why,
    isDirect,
    isEncrypted: of(ENCRYPTION) !== undefined,
    isTied,
    maySpeak: own >= levels.event('m.room.message', false),
    power: power(),
    levels,
    create,
    levelsEvent: of(POWER_LEVELS),
    newMembership,
    replacement: typeof replacement === 'string' ? replacement : undefined,
  }
}

/** What stays behind of the power in a room, in words; undefined where nothing does. */
export function powerBehind({ power, levels }: RoomPlan, oldUser: string): string | undefined {
  switch (power) {
    case 'creator':
      return 'The old account has made this room, and stays its creator: the new one gets the power to administer it'
    case 'kept':
      return levels.user(oldUser) >= ADMINISTRATOR
        ? 'The old account administers this room and may not hand that over'
        : `The old account has the level ${levels.user(oldUser)} in this room and may not hand it over`
    default:
      return undefined
  }
}
