import { adminActor } from '../../core/audit/acts.js'
import { invalidParam, MatrixError, notFound } from '../../core/errors.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import { eventsByIds } from '../../storage/tables/events.js'
import { roomById } from '../../storage/tables/rooms.js'
import type { Store } from '../../storage/tx.js'
import type { ErasureProgress } from '../retention/erase-messages.js'
import type { Retention } from '../retention/retention.js'
import type { AdminTasks, TaskWork } from './tasks.js'

export interface HistoryWish {
  /** What was said before this event goes; the event stays. */
  readonly eventId?: string | undefined
  /** Milliseconds: the same by time. */
  readonly beforeTs?: number | undefined
  /** What users of this server have said goes as well: nobody else may have it. */
  readonly deleteLocal: boolean
}

/** Takes the content of what was said in a room up to a point; see `EraseMessages`. Goes on after a restart. */
export interface HistoryPurge {
  /** In the background; gives its id. Throws M_NOT_FOUND, M_INVALID_PARAM, M_LIMIT_EXCEEDED. */
  start(adminId: string, roomId: string, wish: HistoryWish): Promise<string>
  /** For a week. Throws M_NOT_FOUND. */
  status(
    id: string,
  ): Promise<{ readonly status: string; readonly error?: string; readonly purged_events: number }>
}

const ACTION = 'purge_history'

/** As `start` writes it. */
interface Params {
  readonly before: number
  readonly delete_local: boolean
}

interface Progress {
  readonly erased?: ErasureProgress
  readonly purged_events?: number
}

export function createHistoryPurge(deps: {
  readonly store: Store
  readonly tasks: AdminTasks
}): HistoryPurge {
  const { store, tasks } = deps
  return {
    async start(adminId, roomId, { eventId, beforeTs, deleteLocal }) {
      const before = await store.read('administration.purgeUpTo', function* () {
        const room = yield* roomById(roomId)
        if (room === undefined) throw notFound('This server knows no such room')
        if (eventId === undefined) return beforeTs
        const [event] = yield* eventsByIds([eventId])
        if (event?.room_nid !== room.nid) throw notFound('There is no such event in this room')
        return event.ts
      })
      if (before === undefined)
        throw invalidParam('Up to where: purge_up_to_event_id or purge_up_to_ts is needed')
      return tasks.start(ACTION, roomId, adminId, { before, delete_local: deleteLocal })
    },

    async status(id) {
      const task = await tasks.get(id, ACTION)
      const { erased, purged_events: purged } = task.result as Progress
      return {
        status: task.status,
        ...(task.error === undefined ? {} : { error: task.error }),
        purged_events: purged ?? erased?.events ?? 0,
      }
    },
  }
}

/** The work of it. */
export function historyWork(deps: {
  readonly store: Store
  readonly serverName: string
  readonly retention: Pick<Retention, 'erase'>
}): TaskWork {
  return async ({ task, signal, done }) => {
    const { before, delete_local: deleteLocal } = task.params as unknown as Params
    const room = await deps.store.read('administration.purgeRoom', () => roomById(task.resource))
    if (room === undefined) throw new MatrixError('M_NOT_FOUND', 'This server knows no such room')
    const events = await deps.retention.erase(
      {
        roomNid: room.nid,
        roomId: task.resource,
        before,
        isDue: (sender) => deleteLocal || serverNameOf(sender) !== deps.serverName,
        by: adminActor(task.askedBy),
        from: (task.result as Progress).erased,
      },
      signal,
      (erased) => done({ erased: { ...erased, place: { ...erased.place } } }),
    )
    return { purged_events: events }
  }
}
