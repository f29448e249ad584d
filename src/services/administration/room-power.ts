import { invalidParam, MatrixError, notFound } from '../../core/errors.js'
import { isObject, ownValue } from '../../core/json/value.js'
import { localMembers, membershipOf } from '../../storage/tables/memberships.js'
import { requesterOf } from '../requester.js'
import type { Requester } from '../requester.js'
import type { Aliases } from '../rooms/aliases.js'
import { readPowerLevels, readStateEvent, type RoomsContext } from '../rooms/context.js'
import type { Memberships } from '../rooms/membership.js'
import { loadResident } from '../rooms/residence.js'
import type { Sending } from '../rooms/send.js'
import type { RoomSnapshot } from '../rooms/working-room.js'
import { localUser } from './local-user.js'

/** What administrators do in rooms with the powers of local users who are there. */
export interface RoomPower {
  /**
   * Gives a user the highest level that somebody of this server in the room may give; who is not in it, and could not come in, is
   * invited. By id or alias of this server. Throws M_NOT_FOUND; M_UNKNOWN (400) where nobody here may do it.
   */
  makeAdmin(room: string, userId: string): Promise<void>
  /** Lets a local user join; where it takes an invite, the administrator gives it, if they can. Throws as joining does. */
  join(admin: Requester, room: string, userId: string): Promise<{ room_id: string }>
}

const POWER = 'm.room.power_levels'
const JOINED: ReadonlySet<string | undefined> = new Set(['join', 'invite'])

export function createRoomPower(deps: {
  readonly context: RoomsContext
  readonly aliases: Pick<Aliases, 'resolveLocal'>
  readonly memberships: Pick<Memberships, 'invite' | 'join'>
  readonly sending: Pick<Sending, 'state'>
}): RoomPower {
  const { context, memberships } = deps
  const { store, serverName } = context

  async function residentOf(room: string): Promise<RoomSnapshot> {
    const roomId = room.startsWith('#') ? (await deps.aliases.resolveLocal(room)).room_id : room
    const found = await loadResident(context, roomId)
    if (found === undefined) throw notFound('Nobody of this server is in this room')
    return found
  }

  const membership = async (room: RoomSnapshot, userId: string): Promise<string | undefined> =>
    (await store.read('administration.membership', () => membershipOf(room.nid, userId)))?.membership

  const isPublic = async (room: RoomSnapshot): Promise<boolean> => {
    const rules = await readStateEvent(context, room, 'm.room.join_rules', '')
    return rules?.event.content['join_rule'] === 'public'
  }

  return {
    async makeAdmin(named, userId) {
      await store.read('administration.user', () => localUser(userId, serverName))
      const room = await residentOf(named)
      const levels = await readPowerLevels(context, room)
      if (levels.user(userId) === Infinity) return
      const locals = await store.read('administration.locals', () => localMembers(room.nid, 'join'))
      const [granter] = locals
        .filter((local) => levels.user(local) >= levels.event(POWER, true))
        .toSorted((a, b) => levels.user(b) - levels.user(a) || (a < b ? -1 : 1))
      if (granter === undefined)
        throw new MatrixError('M_UNKNOWN', 'No user of this server may change who may do what', {}, 400)
      // Creators of later versions stand above all numbers, and give as much as anything in the room takes.
      const highest = levels.user(granter)
      const level =
        highest === Infinity
          ? Math.max(100, levels.event('m.room.tombstone', true), levels.event(POWER, true))
          : highest
      const current = await readStateEvent(context, room, POWER, '')
      const content = current?.event.content ?? {}
      const users = ownValue(content, 'users')
      if (levels.user(userId) < level)
        await deps.sending.state(requesterOf(granter), {
          roomId: room.roomId,
          type: POWER,
          stateKey: '',
          content: {
            ...content,
            users: Object.fromEntries([
              // Without such an event it is the creator alone who has a level.
              ...(current === undefined ? [[granter, level] as const] : []),
              ...Object.entries(isObject(users) ? users : {}),
              [userId, level],
            ]),
          },
        })
      if (JOINED.has(await membership(room, userId)) || (await isPublic(room))) return
      await memberships.invite(requesterOf(granter), { roomId: room.roomId, userId })
    },

    async join(admin, named, userId) {
      await store.read('administration.user', () => localUser(userId, serverName))
      const roomId = named.startsWith('#') ? (await deps.aliases.resolveLocal(named)).room_id : named
      if (!roomId.startsWith('!')) throw invalidParam('Neither a room id nor an alias')
      const room = await loadResident(context, roomId)
      if (room !== undefined) {
        const known = JOINED.has(await membership(room, userId)) || (await isPublic(room))
        if (!known) await memberships.invite(admin, { roomId, userId })
      }
      return memberships.join(requesterOf(userId), { room: roomId, via: [] })
    },
  }
}
