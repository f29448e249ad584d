import { backoffDelay } from '../../../platform/backoff.js'
import { createLru } from '../../../platform/lru.js'
import { deleteStaged, postponeStaged, type StagedRow } from '../../../storage/tables/staging.js'
import { MissingPredecessors } from '../../rooms/apply-event.js'
import type { RoomsContext } from '../../rooms/context.js'
import type { Applied } from '../history/apply-events.js'
import type { Staged } from './staged-events.js'
import type { StagingQuota } from './staging-quota.js'
import { isStoreTrouble } from './store-trouble.js'

/** What becomes of staged rows after an attempt. */
export interface StagedRows {
  /** Removes the rows of what was applied, and counts what failed. Throws where the store is in trouble, counting nothing. */
  finish(applied: readonly Applied[], staged: readonly Staged[]): Promise<void>
  /** Removes rows; with a reason, which is logged, the events are lost. */
  drop(rows: readonly StagedRow[], reason?: string): Promise<void>
  /** An attempt failed: the next one is later, or this was the last. */
  fail(rows: readonly StagedRow[], error: unknown): Promise<void>
  /** Not due for a while, without counting as an attempt. Milliseconds. */
  postpone(staged: readonly Staged[], ms: number): Promise<void>
  /** Whether an event could not be applied again and again, for reasons of its own: it is one to do without. */
  isBroken(eventId: string): boolean
}

export interface Retries {
  /** Pauses between attempts for one PDU, in milliseconds. */
  readonly retry: { readonly initialMs: number; readonly maxMs: number }
  /** After so many failed attempts a PDU is dropped. */
  readonly maxAttempts: number
}

const BROKEN = 2

export function createStagedRows(
  context: Pick<RoomsContext, 'store' | 'clock' | 'random' | 'logger'>,
  quota: Pick<StagingQuota, 'release'>,
  { retry, maxAttempts }: Retries,
): StagedRows {
  const { store, clock, random, logger } = context
  /** How often events could not be applied for reasons of their own. */
  const broken = createLru<string, number>({ max: 10_000 })

  async function finish(applied: readonly Applied[], staged: readonly Staged[]): Promise<void> {
    const rowOf = new Map(staged.map(({ row }) => [row.nid, row]))
    const left: StagedRow[] = []
    const failed: StagedRow[] = []
    let reason: unknown
    let trouble: unknown
    for (const result of applied) {
      const { id } = result.item.event
      if (!result.ok && isStoreTrouble(result.error)) {
        trouble = result.error
        continue
      }
      if (result.ok) broken.delete(id)
      else if (!(result.error instanceof MissingPredecessors)) broken.set(id, (broken.get(id) ?? 0) + 1)
      const row = result.item.stagedNid === undefined ? undefined : rowOf.get(result.item.stagedNid)
      if (row === undefined) continue
      if (!result.ok) {
        failed.push(row)
        reason = result.error
      } else if (result.rowGone) release([row])
      else left.push(row)
    }
    // All of it is looked at again when the store is well; nothing counts as an attempt.
    if (trouble !== undefined) throw trouble
    await drop(left)
    await fail(failed, reason)
  }

  const release = (rows: readonly StagedRow[]): void =>
    quota.release(rows.map((row) => ({ origin: row.origin, roomId: row.room_id, size: row.json.length })))

  async function drop(rows: readonly StagedRow[], reason?: string): Promise<void> {
    if (rows.length === 0) return
    await store.write('staged.drop', () => deleteStaged(rows.map((row) => row.nid)))
    release(rows)
    if (reason !== undefined) {
      logger.warn(
        { roomId: rows[0]!.room_id, origin: rows[0]!.origin, events: rows.slice(0, 10).map((row) => row.event_id), count: rows.length, reason },
        'events of another server were dropped',
      ) // prettier-ignore
    }
  }

  async function fail(rows: readonly StagedRow[], error: unknown): Promise<void> {
    if (rows.length === 0) return
    const last = rows.filter((row) => row.attempts + 1 >= maxAttempts)
    await drop(last, error instanceof Error ? error.message : 'it failed again and again')
    const now = clock.now()
    await store.write('staged.postpone', () =>
      postponeStaged(
        rows
          .filter((row) => !last.includes(row))
          .map((row) => ({
            nid: row.nid,
            attempts: row.attempts + 1,
            retryAt: now + backoffDelay(retry, row.attempts + 1, random),
          })),
      ),
    )
    logger.debug({ err: error, roomId: rows[0]!.room_id, count: rows.length }, 'staged events must wait')
  }

  async function postpone(staged: readonly Staged[], ms: number): Promise<void> {
    const retryAt = clock.now() + Math.ceil(ms)
    await store.write('staged.postpone', () =>
      postponeStaged(staged.map(({ row }) => ({ nid: row.nid, attempts: row.attempts, retryAt }))),
    )
  }

  return { finish, drop, fail, postpone, isBroken: (id) => (broken.get(id) ?? 0) >= BROKEN }
}
