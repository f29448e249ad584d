import { invalidParam, MatrixError } from '../../core/errors.js'
import { parseUserId } from '../../core/ids/user-id.js'
import { createPace } from '../../platform/pace.js'
import { membershipOf, membershipsOfUser } from '../../storage/tables/memberships.js'
import {
  messagesBackwards,
  type MessagePlace,
  type MessageRow,
} from '../../storage/tables/messages-backwards.js'
import { roomById } from '../../storage/tables/rooms.js'
import type { Store } from '../../storage/tx.js'
import { requesterOf } from '../requester.js'
import type { Retention } from '../retention/retention.js'
import { checkRoomId } from '../rooms/blocked-rooms.js'
import type { Sending } from '../rooms/send.js'
import { localUser } from './local-user.js'
import type { AdminTasks, TaskWork } from './tasks.js'

export interface RedactionWish {
  /** Empty: all rooms that the user is or was in, as far as this server knows. */
  readonly rooms: readonly string[]
  readonly reason?: string | undefined
  /** Messages of the user that are looked at in each room, the latest first. */
  readonly limit?: number | undefined
  /** The administrator redacts, in place of the user. */
  readonly useAdmin: boolean
  /** Milliseconds, both ends included. */
  readonly afterTs?: number | undefined
  readonly beforeTs?: number | undefined
}

export interface RedactionStatus {
  readonly status: 'active' | 'complete' | 'failed'
  /** Event ids with the reason. */
  readonly failed_redactions: Readonly<Record<string, string>>
  /** Events that were taken back. */
  readonly redacted: number
  readonly error?: string
}

/**
 * Takes back what a user has said: messages of every kind, in all rooms or in some. Where they are in the room they do it themselves, as it were; else, as for
 * users of other servers, it is the administrator's account, which needs the power for it there. Goes on after a restart.
 */
export interface UserRedaction {
  /** In the background; gives its id. Throws M_INVALID_PARAM, M_NOT_FOUND, M_LIMIT_EXCEEDED. */
  start(adminId: string, userId: string, wish: RedactionWish): Promise<string>
  /** For a week. Throws M_NOT_FOUND. */
  status(id: string): Promise<RedactionStatus>
}

const ACTION = 'redact_all_events'
const LIMIT = 1_000
const MAX_LIMIT = 1_000_000
const PAGE = 500
/** Failures that are told of one by one. */
const MAX_FAILURES = 1_000

/** As `start` writes it. */
interface Params {
  readonly rooms: readonly string[]
  readonly reason: string | null
  readonly limit: number
  readonly use_admin: boolean
  readonly after_ts: number
  readonly before_ts: number
}

interface Progress {
  readonly failed_redactions?: Readonly<Record<string, string>>
  readonly redacted?: number
}

export function createUserRedaction(deps: {
  readonly store: Store
  readonly serverName: string
  readonly tasks: AdminTasks
}): UserRedaction {
  const { store, tasks } = deps
  return {
    async start(adminId, userId, wish) {
      const id = parseUserId(userId)
      if (id === undefined) throw invalidParam('This is not a user id')
      for (const roomId of wish.rooms) checkRoomId(roomId)
      const rooms = await store.read('administration.redactIn', function* () {
        if (id.domain === deps.serverName) yield* localUser(userId, deps.serverName)
        if (wish.rooms.length > 0) return [...new Set(wish.rooms)]
        const rows = yield* membershipsOfUser(userId)
        return rows.filter((row) => row.membership !== 'invite').map((row) => row.room_id)
      })
      return tasks.start(ACTION, userId, adminId, {
        rooms,
        reason: wish.reason ?? null,
        limit: Math.min(wish.limit ?? LIMIT, MAX_LIMIT),
        use_admin: wish.useAdmin,
        after_ts: wish.afterTs ?? 0,
        before_ts: wish.beforeTs ?? Number.MAX_SAFE_INTEGER,
      })
    },

    async status(id) {
      const task = await tasks.get(id, ACTION)
      const { failed_redactions = {}, redacted = 0 } = task.result as Progress
      return {
        status: task.status,
        failed_redactions,
        redacted,
        ...(task.error === undefined ? {} : { error: task.error }),
      }
    },
  }
}

/** The work of it. What is redacted already is passed over, so that it may begin anew. */
export function redactionWork(deps: {
  readonly store: Store
  readonly serverName: string
  readonly sending: Pick<Sending, 'redact'>
  readonly retention: { readonly holds: Pick<Retention['holds'], 'isHeld'> }
}): TaskWork {
  const { store } = deps

  return async ({ task, signal, show, done }) => {
    const userId = task.resource
    const { rooms, reason, limit, use_admin: useAdmin, ...span } = task.params as unknown as Params
    const isOurs = parseUserId(userId)?.domain === deps.serverName
    const failures = new Map<string, string>()
    let redacted = (task.result as Progress).redacted ?? 0
    const result = () => ({ failed_redactions: Object.fromEntries(failures), redacted })
    const pace = createPace()

    const fail = (event: MessageRow, why: string): void => {
      if (failures.size < MAX_FAILURES) failures.set(event.event_id, why)
    }

    async function redact(roomId: string, event: MessageRow, by: string): Promise<void> {
      if (deps.retention.holds.isHeld(roomId, userId)) {
        fail(event, 'It is under a legal hold')
        return
      }
      try {
        await deps.sending.redact(requesterOf(by), {
          roomId,
          eventId: event.event_id,
          txnId: `${task.id}.${event.nid}`,
          reason: reason ?? undefined,
          extra: {},
        })
        redacted += 1
      } catch (error) {
        // A store that fails concerns the whole task.
        if (!(error instanceof MatrixError)) throw error
        fail(event, error.message)
      }
    }

    async function redactIn(roomId: string): Promise<void> {
      const { room, isIn } = await store.read('administration.redactRoom', function* () {
        const row = yield* roomById(roomId)
        const own = row === undefined ? undefined : yield* membershipOf(row.nid, userId)
        return { room: row, isIn: own?.membership === 'join' }
      })
      if (room === undefined) return
      const by = isOurs && isIn && !useAdmin ? userId : task.askedBy
      let left = limit
      let place: MessagePlace = { ts: span.before_ts, nid: Number.MAX_SAFE_INTEGER }
      while (left > 0) {
        const from = place
        const rows = await store.read('administration.redactPage', () =>
          messagesBackwards(room.nid, from, span.after_ts, PAGE),
        )
        for (const row of rows) {
          signal.throwIfAborted()
          if (row.sender !== userId || row.type === 'm.room.redaction' || left === 0) continue
          left -= 1
          if (row.redacted_by !== null) continue
          await pace()
          await redact(roomId, row, by)
          show(result())
        }
        await store.write('administration.redacted', () => done(result()))
        const last = rows.at(-1)
        if (rows.length < PAGE || last === undefined) return
        place = last
      }
    }

    for (const roomId of rooms) {
      signal.throwIfAborted()
      await redactIn(roomId)
    }
    return result()
  }
}
