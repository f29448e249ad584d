import { nextStateDelta, stateDeltasOfKey, type StateDeltaRow } from '../../storage/tables/state.js'
import type { MembershipRow } from '../../storage/tables/memberships.js'
import type { RoomsContext } from './context.js'
import type { StoredEvent } from './stored-event.js'
import { membershipIn } from './working-room.js'

type Context = Pick<RoomsContext, 'store' | 'events'>

const MEMBER = 'm.room.member'
/** Changes of one membership that are looked through; most of them are new names and pictures. */
const MAX_CHANGES = 1_000

/** A user's membership at a position of the stream; undefined for none. */
export async function membershipAt(
  context: Context,
  row: MembershipRow,
  position: number,
): Promise<string | undefined> {
  if (row.pos <= position) return row.membership
  const next = await context.store.read('rooms.membershipAt', () =>
    nextStateDelta(row.room_nid, MEMBER, row.user_id, position),
  )
  const then = next?.prev_nid ?? undefined
  return then === undefined ? undefined : membershipIn((await context.events.byNids([then])).get(then))
}

/** A change of membership between joined and not. */
interface Turn {
  /** Position at which it took effect. */
  readonly pos: number
  readonly event: StoredEvent | undefined
}

/** The latest change by which a user came into a room, or went out of it; undefined when there was none. */
async function lastTurn(
  context: Context,
  roomNid: number,
  userId: string,
  upTo: number,
  isTurn: (wasJoined: boolean, isJoined: boolean) => boolean,
): Promise<Turn | undefined> {
  const rows = await context.store.read('rooms.memberHistory', () =>
    stateDeltasOfKey(roomNid, MEMBER, userId, upTo, MAX_CHANGES),
  )
  const named = rows.flatMap((row) => [row.event_nid, row.prev_nid]).filter((nid) => nid !== null)
  const events = await context.events.byNids([...new Set(named)])
  const eventOf = (nid: StateDeltaRow['event_nid']): StoredEvent | undefined =>
    nid === null ? undefined : events.get(nid)
  const joined = (nid: StateDeltaRow['event_nid']): boolean => membershipIn(eventOf(nid)) === 'join'
  const turn = rows.find((row) => isTurn(joined(row.prev_nid), joined(row.event_nid)))
  return turn === undefined ? undefined : { pos: turn.pos, event: eventOf(turn.event_nid) }
}

/** How a user's latest time in a room ended: by a leave or a ban. Undefined for those who never were in it. */
export const lastDeparture = (
  context: Context,
  roomNid: number,
  userId: string,
  upTo = Number.MAX_SAFE_INTEGER,
): Promise<Turn | undefined> =>
  lastTurn(context, roomNid, userId, upTo, (wasJoined, isJoined) => wasJoined && !isJoined)

/** When a user last came into a room. */
export const lastArrival = (
  context: Context,
  roomNid: number,
  userId: string,
  upTo = Number.MAX_SAFE_INTEGER,
): Promise<Turn | undefined> =>
  lastTurn(context, roomNid, userId, upTo, (wasJoined, isJoined) => !wasJoined && isJoined)
