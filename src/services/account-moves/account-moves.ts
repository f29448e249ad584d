import { OPERATOR, userActor } from '../../core/audit/acts.js'
import { invalidParam } from '../../core/errors.js'
import { isUserId } from '../../core/ids/user-id.js'
import type { JsonObject } from '../../core/json/value.js'
import {
  accountMovesBefore,
  accountMovesOf,
  countMoveRooms,
  dueAccountMoves,
  movedAwayTo,
  moveRoomsToTell,
  postponeAccountMove,
  type AccountMoveRow,
  type MoveRoomRow,
} from '../../storage/tables/account-moves.js'
import { circleOf, noSuchMove, waitMs, type AccountMovesDeps } from './move-context.js'
import { reportMove, type MoveReport } from './move-report.js'
import { createMoveSource, isFrom, OVER, type MoveOrder, type MoveSource } from './move-source.js'
import { createMoveTarget, type MoveTarget } from './move-target.js'
import { failureOf } from './source-rooms.js'

/** How far a move is. */
export interface MoveStatus {
  readonly side: 'source' | 'target'
  readonly oldUser: string
  readonly newUser: string
  readonly step: string
  /** Times in milliseconds since 1970. */
  readonly since: number
  readonly notAfter: number
  /** Why the last try failed. */
  readonly failure: string | undefined
  /** How many rooms stand at each step. */
  readonly rooms: Readonly<Record<string, number>>
  /** Rooms that stay behind, or something of them. */
  readonly remarks: readonly { readonly roomId: string; readonly step: string; readonly words: string }[]
}

/**
 * People who change ministry: an account of one member node goes on as one of another. Each node goes through steps that are kept on disk, each of which may be
 * gone again after a crash.
 */
export interface AccountMoves {
  /** What will stay behind; changes nothing. As `order` throws. */
  report(oldUser: string, newUser: string): Promise<MoveReport>
  /** See `MoveSource.order`: on the node that is left. */
  order(order: MoveOrder): Promise<void>
  /** See `MoveTarget.expect`: on the node that is gone to. */
  expect(oldUser: string, newUser: string): Promise<void>
  /** Of one user of this server, or of all; newest first, at most 100. Throws M_INVALID_PARAM. */
  status(userId?: string): Promise<readonly MoveStatus[]>
  /** An operator calls off what has not begun. Throws M_NOT_FOUND, M_FORBIDDEN. */
  cancel(userId: string): Promise<void>

  /** What its person is asked about their account, or may know of a move under way. Throws M_NOT_FOUND. */
  own(userId: string): Promise<MoveStatus>
  /** See `MoveSource.consent`. */
  consent(userId: string, newUser: string): Promise<void>
  /** The person says no. Throws M_NOT_FOUND, M_FORBIDDEN. */
  decline(userId: string): Promise<void>

  /** For other nodes; see `MoveTarget` and `MoveSource`. Throw M_NOT_FOUND for what is no business of theirs. */
  offer(origin: string, certificate: JsonObject): Promise<JsonObject>
  part(origin: string, nonce: string, place: JsonObject | undefined): Promise<string>
  progress(origin: string, nonce: string, step: 'received' | 'finished'): Promise<void>

  /** The new account of somebody who has moved away. */
  movedTo(userId: string): Promise<string | undefined>
  /** Job: goes on with what is due. Never rejects for one move that makes trouble. */
  run(): Promise<void>
  /** Resolves when nothing is being done any more. */
  close(): Promise<void>
}

const AT_ONCE = 20
const MAX_ROUNDS = 200
const STATUS_ROWS = 100
const REMARKS = 1_000

export function createAccountMoves(deps: AccountMovesDeps): AccountMoves {
  const { store, clock, logger, options } = deps
  const source: MoveSource = createMoveSource(deps)
  const target: MoveTarget = createMoveTarget(deps)
  let running: Promise<void> | undefined
  let isAgain = false
  let isClosed = false

  async function advance(row: AccountMoveRow): Promise<void> {
    try {
      await (row.side === 'source' ? source : target).advance(row)
    } catch (error) {
      const { words, isFault } = failureOf(error)
      const attempts = row.attempts + 1
      logger[isFault ? 'error' : 'info'](
        { err: error, moveId: row.move_id, step: row.step, attempts },
        'a step of the move of an account failed, and is tried again',
      )
      const later = clock.now() + waitMs(options, attempts)
      const due = row.not_after > clock.now() ? Math.min(row.not_after, later) : later
      await store.write('accountMoves.postpone', () => postponeAccountMove(row, attempts, due, words))
    }
  }

  async function work(): Promise<void> {
    for (let round = 0; round < MAX_ROUNDS && !isClosed; round++) {
      const due = await store.read('accountMoves.due', () => dueAccountMoves(clock.now(), AT_ONCE))
      if (due.length === 0) return
      for (const row of due) {
        if (isClosed) return
        await advance(row)
      }
    }
  }

  function run(): Promise<void> {
    if (isClosed || deps.circle === undefined) return Promise.resolve()
    if (running !== undefined) {
      isAgain = true
      return running
    }
    running = (async () => {
      try {
        do {
          isAgain = false
          await work()
        } while (isAgain && !isClosed)
      } finally {
        running = undefined
      }
    })()
    return running
  }

  function wake(): void {
    run().catch((error: unknown) => {
      if (!isClosed) logger.error({ err: error }, 'moves of accounts cannot go on')
    })
  }

  async function statusOf(row: AccountMoveRow): Promise<MoveStatus> {
    const { counts, remarks } = await store.read('accountMoves.status', function* () {
      return {
        counts: yield* countMoveRooms(row.move_id),
        remarks: yield* moveRoomsToTell(row.move_id, REMARKS),
      }
    })
    return {
      side: row.side,
      oldUser: row.old_user,
      newUser: row.new_user,
      step: row.step,
      since: row.created_ts,
      notAfter: row.not_after,
      failure: row.failure ?? undefined,
      rooms: Object.fromEntries(counts.map(({ step, rooms }) => [step, rooms])),
      remarks: remarks.map(({ room_id: roomId, step, detail }: MoveRoomRow) => ({
        roomId,
        step,
        words: detail ?? '',
      })),
    }
  }

  return {
    async report(oldUser, newUser) {
      circleOf(deps)
      return await reportMove(deps, oldUser, newUser)
    },
    async order(order) {
      await source.order(order)
      wake()
    },
    async expect(oldUser, newUser) {
      await target.expect(oldUser, newUser)
    },
    async status(userId) {
      if (userId !== undefined && !isUserId(userId)) throw invalidParam(`${userId} is not a user id`)
      const rows = await store.read('accountMoves.list', () =>
        userId === undefined
          ? accountMovesBefore(Number.MAX_SAFE_INTEGER, STATUS_ROWS)
          : accountMovesOf(userId),
      )
      const found: MoveStatus[] = []
      for (const row of rows) found.push(await statusOf(row))
      return found
    },
    async cancel(userId) {
      const rows = await store.read('accountMoves.of', () => accountMovesOf(userId))
      const row = rows.find(({ step }) => !OVER.has(step))
      if (row === undefined) throw noSuchMove()
      await (row.side === 'source' ? source.cancel(row.old_user, OPERATOR) : target.cancel(row.new_user))
    },

    async own(userId) {
      const rows = await store.read('accountMoves.of', () => accountMovesOf(userId))
      const row = rows.find((one) => isFrom(one, userId) && !OVER.has(one.step))
      if (row === undefined) throw noSuchMove()
      return await statusOf(row)
    },
    async consent(userId, newUser) {
      circleOf(deps)
      await source.consent(userId, newUser)
      wake()
    },
    decline: (userId) => source.cancel(userId, userActor(userId)),

    async offer(origin, certificate) {
      const answer = await target.offer(origin, certificate)
      wake()
      return answer
    },
    part: (origin, nonce, place) => source.part(origin, nonce, place),
    async progress(origin, nonce, step) {
      await (step === 'received' ? source.received(origin, nonce) : target.finished(origin, nonce))
      wake()
    },

    movedTo: (userId) => store.read('accountMoves.movedTo', () => movedAwayTo(userId)),
    run,
    async close() {
      isClosed = true
      await running?.catch(() => undefined)
    },
  }
}
