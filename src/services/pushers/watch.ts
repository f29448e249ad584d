import { usersWithPushers } from '../../storage/tables/pushers.js'
import { stagePushes, type StagedPush } from '../../storage/tables/push-queue.js'
import type { Store, Tx } from '../../storage/tx.js'
import type { Pending, WorkingRoom } from '../rooms/working-room.js'

/**
 * Who has pushers, in memory, so that events of rooms without any of them cost nothing. What may concern them is noted in the event's own
 * transaction, and judged afterwards.
 */
export interface PushWatch {
  /** Before anything is written. */
  load(): Promise<void>
  /** Before somebody's pusher is stored. Whoever has none any more is watched until the next start, and told nothing. */
  add(userId: string): void
  /** Whether something of the room's pending events may concern anybody. */
  concerns(room: Pick<WorkingRoom, 'roster' | 'pending'>): boolean
  /** Part of the transaction that writes the room's pending events, after they have their positions. */
  stageEvents(room: WorkingRoom): Tx<void>
  /** Part of the transaction that records an invite from outside. */
  stageInvite(roomNid: number, userId: string, pos: number): Tx<void>
  readonly users: ReadonlySet<string>
}

export function createPushWatch(deps: { readonly store: Store }): PushWatch {
  const users = new Set<string>()
  // A room's set of members is another object after each change.
  const known = new WeakMap<ReadonlySet<string>, { readonly size: number; readonly watched: boolean }>()

  function isWatched(local: ReadonlySet<string>): boolean {
    const before = known.get(local)
    if (before?.size === users.size) return before.watched
    const [few, many] = local.size < users.size ? [local, users] : [users, local]
    let watched = false
    for (const userId of few) {
      if (!many.has(userId)) continue
      watched = true
      break
    }
    known.set(local, { size: users.size, watched })
    return watched
  }

  const isOwn = ({ stored }: Pending): boolean =>
    stored.event.type === 'm.room.member' &&
    stored.event.stateKey !== undefined &&
    users.has(stored.event.stateKey)

  return {
    users,
    concerns: (room) => users.size > 0 && (isWatched(room.roster.local) || room.pending.some(isOwn)),
    async load() {
      for (const userId of await deps.store.read('push.watched', () => usersWithPushers())) users.add(userId)
    },
    add(userId) {
      users.add(userId)
    },
    *stageEvents(room) {
      if (users.size === 0) return
      const everything = isWatched(room.roster.local)
      const rows: StagedPush[] = []
      for (const pending of room.pending) {
        const { pos, nid, softFailed, rejected } = pending.stored
        if (!pending.live || pos === undefined || softFailed || rejected !== undefined) continue
        if (everything || isOwn(pending))
          rows.push({ pos, room_nid: room.base.nid, event_nid: nid, user_id: '' })
      }
      yield* stagePushes(rows)
    },
    *stageInvite(roomNid, userId, pos) {
      if (!users.has(userId)) return
      yield* stagePushes([{ pos, room_nid: roomNid, event_nid: null, user_id: userId }])
    },
  }
}
