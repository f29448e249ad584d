import { type Actor } from '../../core/audit/acts.js'
import { invalidParam, notFound } from '../../core/errors.js'
import { isRoomId } from '../../core/ids/room-id.js'
import { isUserId } from '../../core/ids/user-id.js'
import type { Clock } from '../../platform/clock.js'
import {
  deleteLegalHold,
  forgetPurgeProgress,
  insertLegalHold,
  legalHolds,
  type LegalHoldRow,
} from '../../storage/tables/retention.js'
import type { Store } from '../../storage/tx.js'
import type { AuditTrail } from '../audit/trail.js'

export type HoldKind = LegalHoldRow['kind']

/** What is kept though its time is over, because a court or an inquiry may want it. It is shown to nobody for that. */
export interface LegalHolds {
  /** Reads what is on disk; before anything is purged. */
  load(): Promise<void>
  isHeld(roomId: string, sender: string): boolean
  readonly rooms: ReadonlySet<string>
  readonly users: ReadonlySet<string>
  list(): Promise<readonly LegalHoldRow[]>
  /** Counts when it resolves: a purge that is under way leaves alone what it has not deleted by then. Throws M_INVALID_PARAM, also for what is held already. */
  hold(kind: HoldKind, target: string, reason: string, by: Actor): Promise<void>
  /** What was held goes with the next purge. Throws M_NOT_FOUND. */
  lift(kind: HoldKind, target: string, by: Actor): Promise<void>
}

const MAX_REASON = 1_000

export function createLegalHolds(deps: {
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
  readonly audit: AuditTrail
}): LegalHolds {
  const { store, clock, audit } = deps
  const held = { room: new Set<string>(), user: new Set<string>() }

  function check(kind: HoldKind, target: string): void {
    if (kind === 'room' ? !isRoomId(target) : !isUserId(target))
      throw invalidParam(`This is no id of a ${kind}`)
  }

  return {
    async load() {
      for (const { kind, target } of await store.read('holds.load', legalHolds)) held[kind].add(target)
    },
    isHeld: (roomId, sender) => held.room.has(roomId) || held.user.has(sender),
    rooms: held.room,
    users: held.user,
    list: () => store.read('holds.list', legalHolds),

    async hold(kind, target, reason, by) {
      check(kind, target)
      if (reason.length === 0 || reason.length > MAX_REASON)
        throw invalidParam(`A hold needs a reason of at most ${MAX_REASON} characters`)
      const set_by = 'id' in by && by.id !== undefined ? by.id : by.kind
      // Held from now on, before it is on disk: nothing may go in between.
      const wasHeld = held[kind].has(target)
      held[kind].add(target)
      try {
        await store.write('holds.hold', function* () {
          const isNew = yield* insertLegalHold({ kind, target, reason, set_by, since: clock.now() })
          if (!isNew) throw invalidParam('This is held already')
          yield* audit.record({
            act: 'data.held',
            by,
            on: target,
            reason,
            outcome: 'done',
            details: { held: true },
          })
        })
      } catch (error) {
        if (!wasHeld) held[kind].delete(target)
        throw error
      }
    },

    async lift(kind, target, by) {
      check(kind, target)
      await store.write('holds.lift', function* () {
        if (!(yield* deleteLegalHold(kind, target))) throw notFound('This is not held')
        yield* forgetPurgeProgress()
        yield* audit.record({ act: 'data.held', by, on: target, details: { held: false } })
      })
      held[kind].delete(target)
    },
  }
}
