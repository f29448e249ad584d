import { MatrixError } from '../../core/errors.js'
import type { Clock } from '../../platform/clock.js'
import type { Notifier } from '../../platform/notifier.js'
import { membershipOf } from '../../storage/tables/memberships.js'
import { readStateEvent, type RoomsContext } from './context.js'
import type { RoomLoader } from './room-loader.js'

/** Longer nobody waits for the members of a room. */
const PATIENCE_MS = 30_000

export const unableForNow = (status?: number): MatrixError =>
  new MatrixError(
    'M_UNABLE_DUE_TO_PARTIAL_STATE',
    'This server does not know all members of the room yet; try again later',
    {},
    status,
  )

/** See `RoomsContext.awaitWhole`. */
export function createAwaitWhole(deps: {
  readonly loader: Pick<RoomLoader, 'load'>
  readonly notifier: Pick<Notifier, 'subscribe'>
  readonly clock: Clock
}): (roomId: string) => Promise<void> {
  const isPartial = async (roomId: string): Promise<boolean> =>
    (await deps.loader.load(roomId))?.partial === true
  return async (roomId) => {
    if (!(await isPartial(roomId))) return
    const end = deps.clock.monotonic() + PATIENCE_MS
    const news = deps.notifier.subscribe([roomId])
    try {
      while (await isPartial(roomId)) {
        const left = end - deps.clock.monotonic()
        if (left <= 0) throw unableForNow(503)
        await news.wait(left, new AbortController().signal)
      }
    } finally {
      news.close()
    }
  }
}

/** What becomes of somebody else is decided when it is known what they are in the room: of a partial room, mostly when that is whole. */
export async function awaitMember(
  context: RoomsContext,
  roomId: string,
  sender: string,
  userId: string,
): Promise<void> {
  const room = await context.loader.load(roomId)
  if (room?.partial !== true || sender === userId) return
  const row = await context.store.read('rooms.membership', () => membershipOf(room.nid, sender))
  // To a stranger the room is no different.
  if (row?.membership !== 'join') return
  if ((await readStateEvent(context, room, 'm.room.member', userId)) === undefined)
    await context.awaitWhole(roomId)
}
