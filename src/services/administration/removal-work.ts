import { adminActor } from '../../core/audit/acts.js'
import { MatrixError } from '../../core/errors.js'
import type { JsonObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import { createPace } from '../../platform/pace.js'
import { aliasesOf, deleteAlias, insertAlias } from '../../storage/tables/aliases.js'
import { blockRoom } from '../../storage/tables/blocked-rooms.js'
import { localMembers } from '../../storage/tables/memberships.js'
import { roomById, setPublished } from '../../storage/tables/rooms.js'
import type { Store } from '../../storage/tx.js'
import { requesterOf } from '../requester.js'
import type { ErasureProgress } from '../retention/erase-messages.js'
import type { Retention } from '../retention/retention.js'
import type { RoomCreation } from '../rooms/create-room.js'
import type { Memberships } from '../rooms/membership.js'
import type { Sending } from '../rooms/send.js'
import type { AdminTask, TaskRun, TaskWork } from './tasks.js'

/** Who went, and what became of the room's names, in the form that tools know. */
export interface RemovalResult {
  readonly kicked_users: readonly string[]
  readonly failed_to_kick_users: readonly string[]
  readonly local_aliases: readonly string[]
  readonly new_room_id: string | null
}

export const NOBODY: RemovalResult = {
  ...{ kicked_users: [], failed_to_kick_users: [], local_aliases: [] },
  new_room_id: null,
}

/** As `createRoomRemoval` writes it. */
interface Params {
  readonly block: boolean
  readonly purge: boolean
  readonly force_purge: boolean
  readonly owner: string | null
  readonly name: string | null
  readonly message: string | null
}

/** What was found when it began. */
interface Plan {
  readonly roomNid: number
  readonly users: readonly string[]
  readonly aliases: readonly string[]
  readonly successor: string | null
}

/** What was done. The users of the plan have their turn in order. */
interface Progress {
  readonly shutdown_room?: RemovalResult
  readonly erased?: ErasureProgress
  readonly purged_events?: number
}

const NAME = 'Content Violation Notification'
const MESSAGE = 'The room that you were in was closed by the administrators of this server.'
/** Users between two writes of how far it has come. */
const NOTED_EVERY = 500

/** Reads what a removal's task has done. */
export function removalOf(task: AdminTask): {
  readonly result: RemovalResult
  readonly purgedEvents: number | undefined
} {
  const { shutdown_room: result = NOBODY, erased, purged_events: purged } = task.result as Progress
  return { result, purgedEvents: purged ?? erased?.events }
}

/** The work of a removal; see `RoomRemoval`. */
export function removalWork(deps: {
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
  readonly roomCreation: Pick<RoomCreation, 'create'>
  readonly memberships: Pick<Memberships, 'leave' | 'join' | 'forget'>
  readonly sending: Pick<Sending, 'message'>
  readonly retention: Pick<Retention, 'erase'>
}): TaskWork {
  const { store, clock, logger, memberships } = deps

  /** A crash right after it leaves a room that nobody is led to, and the next run makes another. */
  async function newRoom(owner: string, { task }: TaskRun, { name, message }: Params): Promise<string> {
    const requester = requesterOf(owner)
    const { room_id: roomId } = await deps.roomCreation.create(requester, {
      preset: 'public_chat',
      name: name ?? NAME,
      power_level_content_override: { users_default: -10 },
    })
    const content = { msgtype: 'm.text', body: message ?? MESSAGE }
    await deps.sending.message(requester, { roomId, type: 'm.room.message', content, txnId: task.id })
    return roomId
  }

  async function begin(run: TaskRun, params: Params): Promise<Plan> {
    const { resource: roomId, askedBy } = run.task
    if (params.block) await store.write('administration.block', () => blockRoom(roomId, askedBy, clock.now()))
    const { room, users, aliases } = await store.read('administration.removal', function* () {
      const row = yield* roomById(roomId)
      const members: string[] = []
      if (row !== undefined)
        for (const membership of ['join', 'invite', 'knock'])
          members.push(...(yield* localMembers(row.nid, membership)))
      return { room: row, users: members, aliases: yield* aliasesOf(roomId) }
    })
    if (room === undefined) throw new MatrixError('M_NOT_FOUND', 'This server knows no such room')
    const successor = params.owner === null ? null : await newRoom(params.owner, run, params)
    const plan: Plan = { roomNid: room.nid, users, aliases, successor }
    await store.write('administration.unlist', function* () {
      yield* setPublished(room.nid, false)
      for (const alias of aliases) {
        yield* deleteAlias(alias)
        if (successor !== null)
          yield* insertAlias({ alias, room_id: successor, creator: askedBy, ts: clock.now() })
      }
      yield* run.planned({ ...plan })
    })
    return plan
  }

  /** Pre: `isIn` says whether the user is in the room, invited to it or knocks at it. */
  async function move(
    userId: string,
    roomId: string,
    isIn: boolean,
    successor: string | null,
  ): Promise<boolean> {
    try {
      if (isIn) await memberships.leave(requesterOf(userId), { roomId })
      await memberships.forget(requesterOf(userId), roomId)
    } catch (error) {
      logger.warn({ err: error, roomId, userId }, 'a user could not leave a room that is removed')
      return false
    }
    try {
      if (successor !== null) await memberships.join(requesterOf(userId), { room: successor, via: [] })
    } catch (error) {
      logger.info({ err: error, roomId: successor, userId }, 'a user did not come into the new room')
    }
    return true
  }

  async function moveAll(run: TaskRun, plan: Plan, before: RemovalResult): Promise<RemovalResult> {
    const { resource: roomId } = run.task
    const kicked = [...before.kicked_users]
    const failed = [...before.failed_to_kick_users]
    const result: RemovalResult = {
      kicked_users: kicked,
      failed_to_kick_users: failed,
      local_aliases: plan.aliases,
      new_room_id: plan.successor,
    }
    const made: JsonObject = { shutdown_room: { ...result } }
    run.show(made)
    const isIn = await store.read('administration.stillIn', function* () {
      const found = new Set<string>()
      for (const membership of ['join', 'invite', 'knock'])
        for (const userId of yield* localMembers(plan.roomNid, membership)) found.add(userId)
      return found
    })
    const pace = createPace()
    for (const userId of plan.users.slice(kicked.length + failed.length)) {
      run.signal.throwIfAborted()
      await pace()
      const list = (await move(userId, roomId, isIn.has(userId), plan.successor)) ? kicked : failed
      list.push(userId)
      if ((kicked.length + failed.length) % NOTED_EVERY === 0)
        await store.write('administration.moved', () => run.done(made))
    }
    await store.write('administration.moved', () => run.done(made))
    return result
  }

  return async (run) => {
    const { task, signal } = run
    const params = task.params as unknown as Params
    const progress = task.result as Progress
    const plan = (run.plan as unknown as Plan | undefined) ?? (await begin(run, params))
    const before = progress.shutdown_room ?? NOBODY
    const result = await moveAll(run, plan, before)
    const moved: JsonObject = { shutdown_room: { ...result } }
    if (!params.purge) return moved
    const left = result.failed_to_kick_users.length
    if (left > 0 && !params.force_purge)
      throw new MatrixError(
        'M_UNKNOWN',
        `${left} users of this server could not leave, so nothing was purged`,
      )
    const events = await deps.retention.erase(
      {
        roomNid: plan.roomNid,
        roomId: task.resource,
        before: Number.MAX_SAFE_INTEGER,
        isDue: () => true,
        by: adminActor(task.askedBy),
        from: progress.erased,
      },
      signal,
      (erased) => run.done({ ...moved, erased: { ...erased, place: { ...erased.place } } }),
    )
    return { ...moved, purged_events: events }
  }
}
