import { forbidden, MatrixError } from '../../core/errors.js'
import type { RoomEvent } from '../../core/event/types.js'
import type { RoomVersionRules } from '../../core/room-version/rules.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import { StorageError, type StorageErrorCode } from '../../storage/errors.js'
import { serversSharingRoomsWith } from '../../storage/tables/memberships.js'
import { deleteStaged } from '../../storage/tables/staging.js'
import type { Store, Tx } from '../../storage/tx.js'
import type { Nids } from './nids.js'
import { persistRoom, StaleRoom, type Persisted } from './persist.js'
import type { RoomLoader } from './room-loader.js'
import { PolicySignatureNeeded, type PolicySigner } from './policy-servers.js'
import type { Rosters } from './roster.js'
import {
  memberChanges,
  openWorkingRoom,
  type Pending,
  type RoomReaders,
  type RoomSnapshot,
  type WorkingRoom,
} from './working-room.js'

/**
 * Gives rooms their turn. Jobs for one room run one after the other on a working room; those that wait meanwhile are
 * written together in one transaction. A job sees the events of the jobs before it. When another process was faster
 * (`StaleRoom`), the jobs run again on the new snapshot, so no verdict is stale.
 *
 * A job must not touch the network: the whole room waits for it.
 */
export interface RoomWriter {
  /**
   * A job that is stopped by `PolicySignatureNeeded` is run again with the signed event; the policy server is asked between its turns.
   * Resolves with the job's result once all that it added is on disk. Rejects with what it throws; it then adds nothing.
   */
  write<T>(roomId: string, job: (room: WorkingRoom) => Promise<T>): Promise<T>
  /** The same for a room that need not exist yet. */
  create<T>(roomId: string, rules: RoomVersionRules, job: (room: WorkingRoom) => Promise<T>): Promise<T>
}

export interface Committed {
  readonly room: WorkingRoom
  readonly pending: readonly Pending[]
  readonly persisted: Persisted
}

/** What a change of membership causes elsewhere, as parts of the transaction that writes it. */
export interface MemberHooks {
  /** Remote users who are in the room no more. */
  remoteUsersLeft(userIds: readonly string[]): Tx<void>
  /** The last local user has left. */
  roomLeft(roomNid: number): Tx<void>
  /** A local user has joined a room with these other servers in it. */
  localUserJoined(userId: string, servers: readonly string[]): Tx<void>
}

export interface RoomWriterDeps {
  readonly memberHooks: MemberHooks
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
  readonly nids: Nids
  readonly loader: RoomLoader
  readonly rosters: Rosters
  readonly readers: RoomReaders
  /** What else the pending events write, in their own transaction and with their positions. */
  stage?(room: WorkingRoom): Tx<void>
  /** Absent: rooms with a policy server are read only. */
  readonly policySigner?: PolicySigner
  /** After the batch is on disk and the caches know it: wakes syncs, senders and whoever else listens. */
  onCommitted(committed: Committed): void
}

interface Job {
  readonly rules: RoomVersionRules | undefined
  readonly run: (room: WorkingRoom) => Promise<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** Jobs of one transaction; more would hold the room for too long. */
const BATCH = 64
const MAX_WAITING = 2_000
const MAX_ATTEMPTS = 10
/** Events of one job that a policy server may sign. */
const MAX_SIGNED = 20

export function createRoomWriter(deps: RoomWriterDeps): RoomWriter {
  const waiting = new Map<string, Job[]>()

  function enqueue<T>(
    roomId: string,
    rules: RoomVersionRules | undefined,
    run: (room: WorkingRoom) => Promise<T>,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const job: Job = { rules, run, resolve: resolve as (value: unknown) => void, reject }
      const queue = waiting.get(roomId)
      if (queue === undefined) {
        waiting.set(roomId, [job])
        void drain(roomId)
      } else if (queue.length >= MAX_WAITING) {
        reject(
          new MatrixError('M_LIMIT_EXCEEDED', 'Too many events wait for this room', { retry_after_ms: 1000 }),
        )
      } else {
        queue.push(job)
      }
    })
  }

  async function drain(roomId: string): Promise<void> {
    const queue = waiting.get(roomId)!
    // Jobs that arrive in this tick join the first batch.
    await Promise.resolve()
    while (queue.length > 0) {
      const jobs = queue.splice(0, BATCH)
      try {
        await runBatch(roomId, jobs)
      } catch (error) {
        deps.loader.forget(roomId)
        if (jobs.length === 1 || !isUnstorable(error)) for (const job of jobs) job.reject(error)
        else await runOneByOne(roomId, jobs)
      }
    }
    waiting.delete(roomId)
  }

  /** What cannot be stored fails alone, not everybody who happened to write at the same moment. */
  async function runOneByOne(roomId: string, jobs: readonly Job[]): Promise<void> {
    for (const job of jobs) {
      try {
        await runBatch(roomId, [job])
      } catch (error) {
        deps.loader.forget(roomId)
        job.reject(error)
      }
    }
  }

  async function snapshotFor(roomId: string, jobs: readonly Job[]): Promise<RoomSnapshot> {
    const known = await deps.loader.load(roomId)
    if (known !== undefined) return known
    const rules = jobs.find((job) => job.rules !== undefined)?.rules
    if (rules === undefined) throw new MatrixError('M_NOT_FOUND', 'Unknown room')
    return deps.loader.fresh(roomId, rules)
  }

  async function runBatch(roomId: string, jobs: readonly Job[]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const base = await snapshotFor(roomId, jobs)
      const kept = deps.readers.states.resolutions(base.nid)
      const room = openWorkingRoom(base, await deps.rosters.of(base.nid), kept)
      const results: { job: Job; value?: unknown; error?: unknown }[] = []
      for (const job of jobs) {
        const mark = savepoint(room)
        try {
          results.push({ job, value: await job.run(room) })
        } catch (error) {
          mark.rollBack()
          results.push({ job, error })
        }
      }
      let persisted: Persisted | undefined
      if (room.pending.length > 0) {
        try {
          persisted = await deps.store.write('room.persist', () => write(room))
        } catch (error) {
          deps.loader.forget(roomId)
          deps.rosters.forget(base.nid)
          deps.readers.states.forgetSeen(base.nid)
          deps.readers.states.disown([...room.newKeys.values()])
          if (!(error instanceof StaleRoom) || attempt >= MAX_ATTEMPTS) throw error
          deps.logger.debug({ roomId, attempt }, 'the room changed meanwhile; its events are judged again')
          continue
        }
        adopt(room, persisted)
      }
      for (const { job, value, error } of results) {
        if (error === undefined) job.resolve(value)
        else job.reject(error)
      }
      return
    }
  }

  function* write(room: WorkingRoom): Tx<Persisted> {
    yield* deleteStaged(room.settled)
    const persisted = yield* persistRoom(room, deps.clock.now(), deps.readers.serverName)
    if (deps.stage !== undefined) yield* deps.stage(room)
    const { serverName } = deps.readers
    const changes = room.pending.flatMap((item) => memberChanges(item.stateChanges))
    const gone: string[] = []
    for (const { userId, before, after } of changes) {
      const isLocal = serverNameOf(userId) === serverName
      if (before === 'join' && after !== 'join' && !isLocal) gone.push(userId)
      if (before !== 'join' && after === 'join' && isLocal) {
        yield* deps.memberHooks.localUserJoined(userId, [...room.roster.servers.keys()])
      }
    }
    if (gone.length > 0) yield* deps.memberHooks.remoteUsersLeft(gone)
    for (const { completes } of room.pending) {
      if (completes !== undefined && completes.newServers.length > 0)
        yield* tellNewServers(room, completes.newServers)
    }
    const lastLeft = changes.some((change) => change.before === 'join' && change.after !== 'join')
    if (lastLeft && room.roster.local.size === 0) yield* deps.memberHooks.roomLeft(room.base.nid)
    return persisted
  }

  /** Servers that were in the room all the time, unknown to us, have missed what changed of the devices of those who are in it. */
  function* tellNewServers({ roster }: WorkingRoom, newServers: readonly string[]): Tx<void> {
    for (const userId of roster.local) {
      const sharing = new Set(yield* serversSharingRoomsWith(userId))
      const servers = newServers.filter((server) => sharing.has(server))
      if (servers.length > 0) yield* deps.memberHooks.localUserJoined(userId, servers)
    }
  }

  function adopt(room: WorkingRoom, persisted: Persisted): void {
    const { readers } = deps
    // What was redacted may be one of the events that were seen.
    if (room.pending.some((item) => item.redaction !== undefined)) readers.states.forgetSeen(room.base.nid)
    else readers.states.keepResolutions(room.base.nid, room.resolutions)
    readers.events.remember(room.pending.map((item) => item.stored))
    readers.events.forget(
      room.pending.flatMap((item) => (item.redaction === undefined ? [] : [item.redaction.target.nid])),
    )
    readers.states.remember(room.nodes.values())
    readers.states.stored([...room.newKeys.values()])
    // Members of a room that becomes partial or whole were written beside these events.
    if (room.partial === room.base.partial && room.partialJoin === undefined)
      deps.rosters.set(room.base.nid, room.roster)
    else deps.rosters.forget(room.base.nid)
    deps.loader.remember({
      ...room.base,
      rev: room.base.rev + 1,
      root: room.root,
      heads: room.heads,
      lastPos: persisted.lastPos,
      partial: room.partial,
    })
    deps.onCommitted({ room, pending: room.pending, persisted })
  }

  async function writeSigned<T>(roomId: string, job: (room: WorkingRoom) => Promise<T>): Promise<T> {
    const signed: RoomEvent[] = []
    for (;;) {
      try {
        return await enqueue(roomId, undefined, async (room) => {
          room.signedByPolicy = signed
          return job(room)
        })
      } catch (error) {
        if (!(error instanceof PolicySignatureNeeded)) throw error
        if (deps.policySigner === undefined || signed.length >= MAX_SIGNED)
          throw forbidden('The policy server of this room cannot be asked')
        signed.push(await deps.policySigner.sign(error.event, error.policy))
      }
    }
  }

  return {
    write: writeSigned,
    create: (roomId, rules, job) => enqueue(roomId, rules, job),
  }
}

/** Of one row, not of the store. */
const UNSTORABLE: ReadonlySet<StorageErrorCode> = new Set(['value', 'unique', 'constraint'])

const isUnstorable = (error: unknown): boolean => error instanceof StorageError && UNSTORABLE.has(error.code)

/** A job that throws leaves no trace in the working room. */
function savepoint(room: WorkingRoom): { rollBack(): void } {
  const { root, heads, roster, partial, partialJoin } = room
  const pending = room.pending.length
  const settled = room.settled.length
  return {
    rollBack() {
      room.root = root
      room.heads = heads
      room.roster = roster
      room.partial = partial
      room.partialJoin = partialJoin
      room.settled.splice(settled)
      room.pending.splice(pending)
      // A job may have failed between making an event known and adding it.
      room.byNid.clear()
      room.byId.clear()
      for (const { stored } of room.pending) {
        room.byNid.set(stored.nid, stored)
        room.byId.set(stored.event.id, stored)
      }
    },
  }
}
