import { MatrixError, notFound } from '../../core/errors.js'
import { readVisibility } from '../../core/history-visibility.js'
import { membershipOf, type MembershipRow } from '../../storage/tables/memberships.js'
import { ignoredUsersOf } from '../account-data/ignored-users.js'
import { readStateEvent, type RoomsContext } from '../rooms/context.js'
import { notInRoom } from '../rooms/not-in-room.js'
import { lastDeparture } from '../rooms/member-history.js'
import type { StoredEvent } from '../rooms/stored-event.js'
import type { RoomSnapshot } from '../rooms/working-room.js'
import type { Viewer } from './client-view.js'
import { after } from './places.js'
import type { TopologicalToken } from './tokens.js'
import { readerOf, type Reader } from './visibility.js'

const HISTORY = { type: 'm.room.history_visibility', stateKey: '' }

/** What a user may see of a room. */
export interface Access {
  readonly room: RoomSnapshot
  readonly row: MembershipRow | undefined
  /** The state that the user may see: the current one, or that at their leaving. */
  readonly root: string
  readonly reader: Reader
  /** For who has left: the place right after that, beyond which they see nothing. */
  readonly end: TopologicalToken | undefined
  /** Whose messages the user does not want. */
  readonly ignored: ReadonlySet<string>
}

type Context = Pick<RoomsContext, 'store' | 'events' | 'states' | 'rosters' | 'loader' | 'retention'>

/** Throws M_FORBIDDEN for rooms that the user is not and was not in, unless anybody may read them. */
export async function accessOf(context: Context, viewer: Viewer, roomId: string): Promise<Access> {
  const room = await context.loader.load(roomId)
  if (room?.root === undefined)
    throw viewer.seesAll === true ? notFound('This server knows no such room') : notInRoom()
  if (viewer.seesAll === true) return wholeAccess(room, room.root)
  const { row, ignored } = await context.store.read('timeline.access', function* () {
    return {
      row: yield* membershipOf(room.nid, viewer.userId),
      ignored: yield* ignoredUsersOf(viewer.userId),
    }
  })
  const reader = await readerOf(context, room, viewer.userId, row)
  const now = { room, row, root: room.root, reader, end: undefined, ignored }
  if (row?.membership === 'join') return now
  const history = await readStateEvent(context, room, HISTORY.type, HISTORY.stateKey)
  if (readVisibility(history?.event.content['history_visibility']) === 'world_readable') return now
  if (typeof row?.event_nid === 'number' && row.forgotten === 0) {
    const left = (await lastDeparture(context, room.nid, viewer.userId))?.event
    if (left?.stateAfter !== undefined && left.ord !== undefined) {
      return { ...now, root: left.stateAfter, end: after(left) }
    }
  }
  throw notInRoom()
}

const EVERYTHING: Reader = {
  isExpired: () => false,
  mayRead: () => Promise.resolve(true),
  membershipAt: () => Promise.resolve('leave'),
}

const wholeAccess = (room: RoomSnapshot, root: string): Access => ({
  ...{ room, row: undefined, root, reader: EVERYTHING, end: undefined },
  ignored: new Set(),
})

/**
 * An event of a room that the user may see. Throws M_NOT_FOUND for rooms that they may not read, events that are not there and those
 * that they may not see, all alike.
 */
export async function visibleEvent(
  context: Context,
  viewer: Viewer,
  roomId: string,
  eventId: string,
): Promise<{ readonly access: Access; readonly event: StoredEvent }> {
  const access = await accessOf(context, viewer, roomId).catch((error: unknown) => {
    throw error instanceof MatrixError ? notFound('Unknown event') : error
  })
  const event = await context.events.byId(eventId)
  const isKnown =
    event?.roomNid === access.room.nid && event.rejected === undefined && !event.softFailed && !event.outlier
  if (!isKnown || !(await access.reader.mayRead(event))) throw notFound('Unknown event')
  return { access, event }
}
