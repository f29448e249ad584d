import { mayReadEvent, readVisibility, type HistoryVisibility } from '../../core/history-visibility.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import { membershipOf, type MembershipRow } from '../../storage/tables/memberships.js'
import { readState, type RoomsContext } from '../rooms/context.js'
import { lastDeparture } from '../rooms/member-history.js'
import { isStoredExpired } from '../rooms/room-retention.js'
import { mapKey } from '../rooms/state-store.js'
import type { StoredEvent } from '../rooms/stored-event.js'
import type { RoomSnapshot } from '../rooms/working-room.js'

const HISTORY = { type: 'm.room.history_visibility', stateKey: '' }
const member = (userId: string): { type: string; stateKey: string } => ({
  type: 'm.room.member',
  stateKey: userId,
})

type Context = Pick<RoomsContext, 'store' | 'events' | 'states' | 'rosters' | 'retention'>

const contentOf = (
  events: ReadonlyMap<string, StoredEvent>,
  key: { type: string; stateKey: string },
  field: string,
): unknown => events.get(mapKey(key))?.event.content[field]

/** The more open of two settings: an event that changes the setting is seen by those of either. */
function opener(a: HistoryVisibility, b: HistoryVisibility): HistoryVisibility {
  const order: readonly HistoryVisibility[] = ['world_readable', 'shared', 'invited', 'joined']
  return order.indexOf(a) <= order.indexOf(b) ? a : b
}

export interface Reader {
  /** Whether its time is over: it is shown to nobody, whatever they may see else. */
  isExpired(event: StoredEvent): boolean
  /** Whether this event may be shown. */
  mayRead(event: StoredEvent): Promise<boolean>
  /** The reader's membership when the event was sent, for `unsigned.membership`. */
  membershipAt(event: StoredEvent): Promise<string>
}

/** What one user may see of one room's history. `membership` is their row in it, where the caller has it already. */
export async function readerOf(
  context: Context,
  room: RoomSnapshot,
  userId: string,
  membership?: MembershipRow,
): Promise<Reader> {
  const row =
    membership ?? (await context.store.read('timeline.membership', () => membershipOf(room.nid, userId)))
  const joinedNow = row?.membership === 'join'
  // Someone who left may see, under `shared`, what came before they left, whatever became of their membership since.
  const mayHaveLeft = !joinedNow && typeof row?.event_nid === 'number'
  const departure = mayHaveLeft ? await lastDeparture(context, room.nid, userId) : undefined
  const joinedUntil = departure?.event
  const cache = new Map<string, Promise<{ visibility: HistoryVisibility; membership: string | undefined }>>()

  function at(root: string): Promise<{ visibility: HistoryVisibility; membership: string | undefined }> {
    let found = cache.get(root)
    if (found === undefined) {
      found = readState(context, room, [HISTORY, member(userId)], root).then((state) => {
        const membership = contentOf(state, member(userId), 'membership')
        return {
          visibility: readVisibility(contentOf(state, HISTORY, 'history_visibility')),
          membership: typeof membership === 'string' ? membership : undefined,
        }
      })
      cache.set(root, found)
    }
    return found
  }

  const horizon = (await context.retention?.horizonOf(room)) ?? 0

  const isBefore = (event: StoredEvent, other: StoredEvent): boolean =>
    event.event.depth < other.event.depth ||
    (event.event.depth === other.event.depth && (event.ord ?? 0) <= (other.ord ?? 0))

  return {
    isExpired: (event) => isStoredExpired(event, horizon),
    async mayRead(event) {
      if (isStoredExpired(event, horizon)) return false
      if (event.stateAfter === undefined) return event.event.type === 'm.room.create'
      const after = await at(event.stateAfter)
      const joinedSince = joinedNow || (joinedUntil !== undefined && isBefore(event, joinedUntil))
      const { type, stateKey } = event.event
      let { visibility, membership } = after
      const changes = type === HISTORY.type || (type === 'm.room.member' && stateKey === userId)
      if (changes && event.stateBefore !== undefined) {
        const before = await at(event.stateBefore)
        visibility = opener(before.visibility, after.visibility)
        if (before.membership === 'join') membership = 'join'
        // Whoever is kicked or banned is told so.
        if (type === 'm.room.member' && stateKey === userId) return true
      }
      return mayReadEvent(visibility, membership, joinedSince)
    },
    async membershipAt(event) {
      if (event.stateAfter === undefined) return 'leave'
      return (await at(event.stateAfter)).membership ?? 'leave'
    },
  }
}

/**
 * What another server may see: what one of its users may. An event that it may not see is given in redacted form, as
 * the graph needs it. `joinedNow` is asked once for all.
 */
export async function serverMayRead(
  context: Context,
  room: RoomSnapshot,
  server: string,
  event: StoredEvent,
): Promise<boolean> {
  if (event.stateAfter === undefined) return true
  const history = (await readState(context, room, [HISTORY], event.stateAfter)).get(mapKey(HISTORY))
  const visibility = readVisibility(history?.event.content['history_visibility'])
  if (visibility === 'world_readable' || visibility === 'shared') return true
  // Without a key to look up, the members of that time are gone through; caches keep the nodes.
  const nids = await context.states.all(room.nid, event.stateAfter)
  const names = await context.states.keysOf([...nids.keys()])
  const members = [...nids].filter(([key]) => {
    const name = names.get(key)
    return name?.type === 'm.room.member' && serverNameOf(name.stateKey) === server
  })
  const events = await context.events.byNids(members.map(([, nid]) => nid))
  return [...events.values()].some(({ event: { content } }) => {
    const membership = content['membership']
    return membership === 'join' || (visibility === 'invited' && membership === 'invite')
  })
}
