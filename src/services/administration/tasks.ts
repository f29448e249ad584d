import { MatrixError, notFound } from '../../core/errors.js'
import type { JsonObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import type { Random } from '../../platform/random.js'
import {
  activeAdminTasks,
  adminTaskById,
  adminTasks,
  deleteEndedAdminTasks,
  endAdminTask,
  insertAdminTask,
  putAdminTaskPlan,
  putAdminTaskResult,
  type AdminTaskFilter,
  type AdminTaskRow,
  type AdminTaskStatus,
} from '../../storage/tables/admin-tasks.js'
import type { Store, Tx } from '../../storage/tx.js'

/** What takes long, by the names that tools know. */
export type TaskAction = 'shutdown_and_purge_room' | 'redact_all_events' | 'purge_history'

export interface AdminTask {
  readonly id: string
  readonly action: string
  /** The room or the user. */
  readonly resource: string
  /** The administrator's user id. */
  readonly askedBy: string
  readonly status: AdminTaskStatus
  readonly params: JsonObject
  readonly result: JsonObject
  readonly error: string | undefined
  /** Milliseconds, of the last change. */
  readonly changedTs: number
}

/** What a task's work is given. It may be begun anew at any time, after a crash too: what is done already must stay done. */
export interface TaskRun {
  readonly task: AdminTask
  /** What was found when it began; undefined the first time. */
  readonly plan: JsonObject | undefined
  readonly signal: AbortSignal
  /** Keeps the plan; for the transaction that carries out its first part. */
  planned(plan: JsonObject): Tx<void>
  /** Keeps what was done so far; for the transaction that does it. */
  done(result: JsonObject): Tx<void>
  /** Shows what was done so far; nothing is written. */
  show(result: JsonObject): void
}

/** Gives the result. Throws a MatrixError whose text the administrator is shown. */
export type TaskWork = (run: TaskRun) => Promise<JsonObject>

/** Long work that administrators ask for. It is on disk before it begins, and goes on after a restart. */
export interface AdminTasks {
  /** Begins it in the background, and gives its id. Throws M_LIMIT_EXCEEDED where the same is under way for this resource, or too much else. */
  start(action: TaskAction, resource: string, askedBy: string, params: JsonObject): Promise<string>
  /** Waits for its end, or that of this process. */
  settled(id: string): Promise<AdminTask>
  /** Throws M_NOT_FOUND. */
  get(id: string, action: TaskAction): Promise<AdminTask>
  /** The latest change first; a week after their end they are forgotten. */
  list(filter: AdminTaskFilter): Promise<readonly AdminTask[]>
  /** Job: takes up what an earlier process has left, or what could not be written. */
  resume(): Promise<void>
  /** Job. */
  prune(): Promise<void>
  /** Ends what is under way; the next process goes on with it. */
  close(): Promise<void>
}

interface Running {
  readonly action: string
  readonly resource: string
  result: JsonObject
  over: Promise<void>
}

const MAX_RUNNING = 20
const MAX_LISTED = 1_000
const KEPT_MS = 7 * 86_400_000

export function createAdminTasks(
  deps: {
    readonly store: Store
    readonly clock: Pick<Clock, 'now'>
    readonly random: Pick<Random, 'string'>
    readonly logger: Logger
  },
  works: Readonly<Record<TaskAction, TaskWork>>,
): AdminTasks {
  const { store, clock, random, logger } = deps
  const running = new Map<string, Running>()
  const stopping = new AbortController()
  const { signal } = stopping

  const seen = (row: AdminTaskRow): AdminTask => ({
    id: row.id,
    action: row.action,
    resource: row.resource,
    askedBy: row.asked_by,
    status: row.status,
    params: JSON.parse(row.params) as JsonObject,
    result: running.get(row.id)?.result ?? (JSON.parse(row.result) as JsonObject),
    error: row.error ?? undefined,
    changedTs: row.changed_ts,
  })

  async function work(row: AdminTaskRow, entry: Running): Promise<void> {
    const { id, action, resource } = row
    let error: string | null = null
    try {
      const todo = Object.hasOwn(works, action) ? works[action as TaskAction] : undefined
      if (todo === undefined) throw new MatrixError('M_UNRECOGNIZED', 'This version knows no such task')
      entry.result = await todo({
        task: seen(row),
        plan: row.plan === null ? undefined : (JSON.parse(row.plan) as JsonObject),
        signal,
        planned: (plan) => putAdminTaskPlan(id, JSON.stringify(plan)),
        done: (result) => putAdminTaskResult(id, JSON.stringify(result), clock.now()),
        show(result) {
          entry.result = result
        },
      })
    } catch (cause) {
      if (signal.aborted) return
      error = cause instanceof MatrixError ? cause.message : 'an error of the server'
      logger.error({ err: cause, task: id, action, resource }, 'a task of an administrator failed')
    }
    const end = {
      status: error === null ? ('complete' as const) : ('failed' as const),
      result: JSON.stringify(entry.result),
      error,
    }
    await store.write('tasks.end', () => endAdminTask(id, end, clock.now()))
  }

  /** Pre: it is in `running`. Whatever happens, it is out of there at the end. */
  function begin(row: AdminTaskRow, entry: Running): void {
    entry.over = work(row, entry)
      .catch((error: unknown) => {
        logger.error(
          { err: error, task: row.id },
          'the end of a task could not be written; it is tried again',
        )
      })
      .finally(() => {
        running.delete(row.id)
      })
  }

  async function byId(id: string): Promise<AdminTask | undefined> {
    const row = await store.read('tasks.one', () => adminTaskById(id))
    return row === undefined ? undefined : seen(row)
  }

  return {
    async start(action, resource, askedBy, params) {
      const isBusy = [...running.values()].some(
        (other) => other.action === action && other.resource === resource,
      )
      if (signal.aborted || isBusy || running.size >= MAX_RUNNING)
        throw new MatrixError('M_LIMIT_EXCEEDED', 'This is being done already, or too much else is', {
          retry_after_ms: 5_000,
        })
      const now = clock.now()
      const id = random.string(16)
      const row: AdminTaskRow = {
        ...{ id, action, resource, asked_by: askedBy, status: 'active' },
        ...{ params: JSON.stringify(params), plan: null, result: '{}', error: null },
        ...{ created_ts: now, changed_ts: now },
      }
      const entry: Running = { action, resource, result: {}, over: Promise.resolve() }
      running.set(id, entry)
      try {
        await store.write('tasks.start', () => insertAdminTask(row))
      } catch (error) {
        running.delete(id)
        throw error
      }
      begin(row, entry)
      return id
    },

    async settled(id) {
      await running.get(id)?.over
      const task = await byId(id)
      if (task === undefined) throw notFound('There is no such task')
      return task
    },

    async get(id, action) {
      const task = await byId(id)
      if (task?.action !== action) throw notFound('There is no such task')
      return task
    },

    async list(filter) {
      const rows = await store.read('tasks.list', () => adminTasks(filter, MAX_LISTED))
      return rows.map(seen)
    },

    async resume() {
      const rows = await store.read('tasks.active', () => activeAdminTasks(MAX_RUNNING))
      for (const row of rows) {
        if (signal.aborted || running.size >= MAX_RUNNING || running.has(row.id)) continue
        const entry: Running = {
          action: row.action,
          resource: row.resource,
          result: JSON.parse(row.result) as JsonObject,
          over: Promise.resolve(),
        }
        running.set(row.id, entry)
        begin(row, entry)
      }
    },

    async prune() {
      await store.write('tasks.prune', () => deleteEndedAdminTasks(clock.now() - KEPT_MS))
    },

    async close() {
      stopping.abort()
      await Promise.all([...running.values()].map((entry) => entry.over))
    },
  }
}
