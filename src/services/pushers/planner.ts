import { setImmediate } from 'node:timers/promises'
import { appendTo } from '../../core/append-to.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import { markBadgesDue, pushersOfUsers } from '../../storage/tables/pushers.js'
import { membershipOf } from '../../storage/tables/memberships.js'
import {
  deleteStagedPushes,
  queuePushes,
  stagedPushes,
  type QueuedPush,
  type StagedPush,
} from '../../storage/tables/push-queue.js'
import type { RoomsContext } from '../rooms/context.js'
import type { Actions, Judge, RoomJudge } from './judge.js'

/**
 * Judges what was staged: whom it notifies, and so what each pusher is to tell. It runs after the event is on disk and the client has
 * its answer. What is staged is replaced by what follows from it in one transaction, so nothing is lost or told twice.
 */
export interface Planner {
  /** Something was staged, and is on disk. */
  wake(): void
  /** Resolves when nothing is under way; what is left is judged after the next start. */
  close(): Promise<void>
}

export interface PlannerDeps {
  readonly context: RoomsContext
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
  readonly judge: Judge
  readonly watched: ReadonlySet<string>
  /** After it is on disk that these pushers have something to do. */
  onQueued(pusherIds: Iterable<number>): void
}

const BATCH = 100
/** Users asked for in one query. */
const MAX_USERS = 500
const RETRY_MS = 10_000

interface Told {
  readonly staged: StagedPush
  readonly actions: ReadonlyMap<string, Actions>
}

export function createPlanner(deps: PlannerDeps): Planner {
  const { context, clock, logger, judge, watched } = deps
  const { store } = context
  let closed = false
  let again = false
  let running: Promise<void> | undefined
  let retry: NodeJS.Timeout | undefined

  async function judgeInvite(staged: StagedPush): Promise<Told> {
    const { roomId } = await context.events.meta(staged.room_nid)
    const row = await store.read('push.invite', () => membershipOf(staged.room_nid, staged.user_id))
    // Answered meanwhile.
    if (row?.membership !== 'invite') return { staged, actions: new Map() }
    const actions = await judge.judgeInvite(roomId, row.sender, staged.user_id)
    return { staged, actions: new Map(actions === undefined ? [] : [[staged.user_id, actions]]) }
  }

  async function judgeBatch(batch: readonly StagedPush[]): Promise<{ told: Told[]; readers: Set<string> }> {
    const events = await context.events.byNids(
      batch.flatMap((row) => (row.event_nid === null ? [] : [row.event_nid])),
    )
    const judges = new Map<number, RoomJudge | undefined>()
    const told: Told[] = []
    const readers = new Set<string>()
    for (const staged of batch) {
      await setImmediate()
      if (staged.event_nid === null) {
        told.push(await judgeInvite(staged))
        continue
      }
      const stored = events.get(staged.event_nid)
      if (stored === undefined) continue
      const { event } = stored
      if (!judges.has(staged.room_nid)) {
        const room = await context.loader.load(event.roomId)
        judges.set(staged.room_nid, room === undefined ? undefined : await judge.forRoom(room))
      }
      // Who speaks has read, and who leaves has nothing to read: their numbers may be lower now.
      if (watched.has(event.sender)) readers.add(event.sender)
      const { local } = await context.rosters.of(staged.room_nid)
      const users = among(local, watched)
      if (event.type === 'm.room.member' && event.stateKey !== undefined && watched.has(event.stateKey)) {
        readers.add(event.stateKey)
        const { membership } = event.content
        if (membership === 'invite' || membership === 'knock') users.push(event.stateKey)
      }
      const actions = await judges.get(staged.room_nid)?.judge(event, [...new Set(users)])
      if (actions !== undefined && actions.size > 0) told.push({ staged, actions })
    }
    return { told, readers }
  }

  async function plan(): Promise<void> {
    for (;;) {
      again = false
      const upTo = await store.position()
      const batch = await store.read('push.staged', () => stagedPushes(upTo, BATCH))
      if (batch.length === 0) {
        if (again && !closed) continue
        return
      }
      const { told, readers } = await judgeBatch(batch)
      const users = [...new Set(told.flatMap(({ actions }) => [...actions.keys()]))]
      const now = clock.now()
      const busy = await store.write('push.plan', function* () {
        const ids = new Set<number>()
        const pushers = new Map<string, { readonly pusher_id: number; readonly since_pos: number }[]>()
        for (let i = 0; i < users.length; i += MAX_USERS) {
          for (const row of yield* pushersOfUsers(users.slice(i, i + MAX_USERS))) {
            appendTo(pushers, row.user_id, row)
          }
        }
        const rows: QueuedPush[] = []
        for (const { staged, actions } of told) {
          const { pos, room_nid, event_nid } = staged
          for (const [userId, own] of actions) {
            const text = JSON.stringify(own)
            for (const { pusher_id, since_pos } of pushers.get(userId) ?? []) {
              if (since_pos >= pos) continue
              rows.push({ pusher_id, pos, room_nid, event_nid, actions: text, ts: now })
              ids.add(pusher_id)
            }
          }
        }
        yield* queuePushes(rows)
        for (const id of yield* markBadgesDue([...readers])) ids.add(id)
        yield* deleteStagedPushes(batch)
        return ids
      })
      if (busy.size > 0) deps.onQueued(busy)
      if (closed) return
    }
  }

  function wake(): void {
    again = true
    if (closed || running !== undefined) return
    clearTimeout(retry)
    running = plan()
      .catch((error: unknown) => {
        if (closed) return
        logger.error({ err: error }, 'notifications cannot be judged; tried again')
        again = false
        retry = setTimeout(wake, RETRY_MS)
        retry.unref()
      })
      .finally(() => {
        running = undefined
        if (again && !closed) wake()
      })
  }

  return {
    wake,
    async close() {
      closed = true
      clearTimeout(retry)
      await running
    },
  }
}

/** The members of both sets, by way of the smaller. */
function among(one: ReadonlySet<string>, other: ReadonlySet<string>): string[] {
  const [few, many] = one.size < other.size ? [one, other] : [other, one]
  return [...few].filter((userId) => many.has(userId))
}
