import { forbidden } from '../../core/errors.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import { isObject, type Json, type JsonObject } from '../../core/json/value.js'
import type { RoomVersionRules } from '../../core/room-version/rules.js'
import { allocatePosition } from '../../storage/tables/positions.js'
import {
  forgetMembership,
  membershipOf,
  unansweredInvites,
  upsertMemberships,
  type MembershipRow,
} from '../../storage/tables/memberships.js'
import { insertRoom, roomById } from '../../storage/tables/rooms.js'
import type { Store, Tx } from '../../storage/tx.js'
import type { Nids } from './nids.js'

/** Memberships in rooms whose state this server does not have: invites and knocks that came from, or went to, others. */
export interface OutsideMemberships {
  /**
   * Records an invite or knock with the stripped state that clients are shown. Gives the room's nid. Throws M_FORBIDDEN for an
   * invite where too many of the user's are unanswered.
   */
  put(row: {
    readonly roomId: string
    readonly rules: RoomVersionRules
    readonly userId: string
    readonly membership: 'invite' | 'knock'
    readonly sender: string
    readonly strippedState: readonly JsonObject[]
    /** The membership itself as clients see it; undefined where nobody is to be told of it. */
    readonly event?: JsonObject
  }): Promise<number>
  /** Pre: the event is as clients see it, without the room's id; undefined where none is known. */
  leave(roomId: string, userId: string, event: JsonObject | undefined): Promise<void>
  forget(roomNid: number, userId: string): Promise<void>
  /** Who can be asked about the room: the inviter's server first, then servers named in the stripped state. */
  serversFor(row: MembershipRow): string[]
}

/** Unanswered invites of one user that came from outside, and those from one server, which must not use up all. */
const MAX_INVITES = 300
const MAX_INVITES_OF_SERVER = 100

/** Nobody asks the invited user, and every initial /sync of theirs carries all invites. */
function* refuseTooManyInvites(userId: string, roomNid: number, sender: string): Tx<void> {
  const pending = yield* unansweredInvites(userId, MAX_INVITES)
  if (pending.some((row) => row.room_nid === roomNid)) return
  const server = serverNameOf(sender)
  const same = pending.filter((row) => serverNameOf(row.sender) === server)
  if (pending.length >= MAX_INVITES || same.length >= MAX_INVITES_OF_SERVER)
    throw forbidden('The user has too many unanswered invites')
}

export function createOutsideMemberships(deps: {
  readonly store: Store
  readonly nids: Nids
  readonly serverName: string
  /** After it is on disk. */
  wake(userId: string): void
  /** What else an invite writes, in its own transaction. */
  stageInvite?(roomNid: number, userId: string, pos: number): Tx<void>
  /** What else any change writes; the event as clients see it. */
  stageEvent?(userId: string, pos: number, event: JsonObject): Tx<void>
}): OutsideMemberships {
  return {
    async put(row) {
      const fresh = await deps.nids.take('room')
      const nid = await deps.store.write('rooms.putOutside', function* () {
        yield* insertRoom({
          nid: fresh,
          room_id: row.roomId,
          version: row.rules.id,
          rev: 1,
          state_root: null,
          heads: '[]',
          last_pos: 0,
          published: 0,
        })
        const room = (yield* roomById(row.roomId))!
        if (row.membership === 'invite') yield* refuseTooManyInvites(row.userId, room.nid, row.sender)
        const pos = yield* allocatePosition()
        if (row.membership === 'invite' && deps.stageInvite !== undefined)
          yield* deps.stageInvite(room.nid, row.userId, pos)
        if (row.event !== undefined && deps.stageEvent !== undefined)
          yield* deps.stageEvent(row.userId, pos, row.event)
        yield* upsertMemberships([
          {
            room_nid: room.nid,
            user_id: row.userId,
            membership: row.membership,
            event_nid: null,
            sender: row.sender,
            pos,
            server: deps.serverName,
            local: 1,
            forgotten: 0,
            stripped_state: JSON.stringify(row.strippedState),
          },
        ])
        return room.nid
      })
      deps.wake(row.userId)
      return nid
    },

    async leave(roomId, userId, event) {
      await deps.store.write('rooms.leaveOutside', function* () {
        const room = yield* roomById(roomId)
        const row = room === undefined ? undefined : yield* membershipOf(room.nid, userId)
        if (row === undefined) return
        const pos = yield* allocatePosition()
        if (event !== undefined && deps.stageEvent !== undefined)
          yield* deps.stageEvent(userId, pos, { ...event, room_id: roomId })
        yield* upsertMemberships([
          {
            ...row,
            membership: 'leave',
            event_nid: null,
            sender: userId,
            pos,
            // The room is gone from the user's sight: what it looked like is needed no more.
            stripped_state: event === undefined ? null : JSON.stringify([event]),
          },
        ])
      })
      deps.wake(userId)
    },

    async forget(roomNid, userId) {
      await deps.store.write('rooms.forget', () => forgetMembership(roomNid, userId))
    },

    serversFor(row) {
      const servers = new Set<string>()
      const add = (id: Json | undefined): void => {
        const server = typeof id === 'string' ? serverNameOf(id) : undefined
        if (server !== undefined && server !== deps.serverName) servers.add(server)
      }
      add(row.sender)
      const state = row.stripped_state === null ? [] : (JSON.parse(row.stripped_state) as Json)
      for (const event of Array.isArray(state) ? state : []) {
        if (!isObject(event)) continue
        add(event['sender'])
        if (event['type'] === 'm.room.member') add(event['state_key'])
      }
      return [...servers].slice(0, 10)
    },
  }
}
