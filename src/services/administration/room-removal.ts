import { MatrixError, notFound } from '../../core/errors.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import { createLru } from '../../platform/lru.js'
import { createPace } from '../../platform/pace.js'
import type { Random } from '../../platform/random.js'
import { aliasesOf, deleteAlias, insertAlias } from '../../storage/tables/aliases.js'
import { blockRoom } from '../../storage/tables/blocked-rooms.js'
import { localMembers } from '../../storage/tables/memberships.js'
import { roomById, setPublished } from '../../storage/tables/rooms.js'
import type { Store } from '../../storage/tx.js'
import { requesterOf } from '../requester.js'
import { checkRoomId } from '../rooms/blocked-rooms.js'
import type { RoomCreation } from '../rooms/create-room.js'
import type { Memberships } from '../rooms/membership.js'
import type { Sending } from '../rooms/send.js'
import { localUser } from './local-user.js'

export interface RemovalWish {
  /** Nobody of this server comes into the room any more. */
  readonly block: boolean
  /** A new room of this user, where those of the old one are told why. */
  readonly newRoomUserId?: string | undefined
  readonly roomName?: string | undefined
  readonly message?: string | undefined
}

export interface RemovalResult {
  readonly kicked_users: readonly string[]
  readonly failed_to_kick_users: readonly string[]
  readonly local_aliases: readonly string[]
  readonly new_room_id: string | null
}

export interface Removal {
  readonly delete_id: string
  readonly room_id: string
  readonly status: 'active' | 'complete' | 'failed'
  readonly error?: string
  readonly shutdown_room: RemovalResult
}

/**
 * Ends a room for this server: its users leave it and forget it, its aliases and its place in the list go, and it may be blocked. The
 * room is out of everybody's sight then, and other servers go on with it.
 * TODO: its events stay in the database until retention purges in small batches; deleting millions of rows at once would stop the node.
 */
export interface RoomRemoval {
  /** Throws M_INVALID_PARAM; M_NOT_FOUND for a room that is not known, unless it is to be blocked; M_LIMIT_EXCEEDED. */
  remove(adminId: string, roomId: string, wish: RemovalWish): Promise<RemovalResult>
  /** The same in the background; gives the removal's id. Throws M_NOT_FOUND. */
  start(adminId: string, roomId: string, wish: RemovalWish): Promise<string>
  /** For a day, and until the node stops. Throws M_NOT_FOUND. */
  status(deleteId: string): Removal
  statusOf(roomId: string): readonly Removal[]
}

const KEPT_MS = 24 * 3_600_000
const MAX_KEPT = 1_000
const MAX_ACTIVE = 20
const NAME = 'Content Violation Notification'
const MESSAGE = 'The room that you were in was closed by the administrators of this server.'
const EMPTY: RemovalResult = {
  ...{ kicked_users: [], failed_to_kick_users: [], local_aliases: [] },
  new_room_id: null,
}

export function createRoomRemoval(deps: {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly serverName: string
  readonly roomCreation: Pick<RoomCreation, 'create'>
  readonly memberships: Pick<Memberships, 'leave' | 'join' | 'forget'>
  readonly sending: Pick<Sending, 'message'>
}): RoomRemoval {
  const { store, clock, random, logger, memberships } = deps
  const ended = createLru<string, Removal>({ max: MAX_KEPT, ttlMs: KEPT_MS, clock })
  /** Ids of what ended, for each room; as bounded as these. */
  const idsOf = createLru<string, readonly string[]>({ max: MAX_KEPT, ttlMs: KEPT_MS, clock })
  const active = new Map<string, Removal>()

  async function newRoom(owner: string, wish: RemovalWish): Promise<string> {
    const requester = requesterOf(owner)
    const { room_id: roomId } = await deps.roomCreation.create(requester, {
      preset: 'public_chat',
      name: wish.roomName ?? NAME,
      power_level_content_override: { users_default: -10 },
    })
    const content = { msgtype: 'm.text', body: wish.message ?? MESSAGE }
    await deps.sending.message(requester, {
      roomId,
      type: 'm.room.message',
      content,
      txnId: random.string(32),
    })
    return roomId
  }

  async function move(userId: string, roomId: string, successor: string | null): Promise<boolean> {
    try {
      await memberships.leave(requesterOf(userId), { roomId })
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

  async function run(
    adminId: string,
    roomId: string,
    wish: RemovalWish,
    progress: (result: RemovalResult) => void,
  ): Promise<RemovalResult> {
    const { newRoomUserId: owner } = wish
    const { room, users, aliases } = await store.read('administration.removal', function* () {
      if (owner !== undefined) yield* localUser(owner, deps.serverName)
      const row = yield* roomById(roomId)
      const members: string[] = []
      if (row !== undefined)
        for (const membership of ['join', 'invite', 'knock'])
          members.push(...(yield* localMembers(row.nid, membership)))
      return { room: row, users: members, aliases: yield* aliasesOf(roomId) }
    })
    if (room === undefined && !wish.block) throw notFound('This server knows no such room')
    if (wish.block) await store.write('administration.block', () => blockRoom(roomId, adminId, clock.now()))
    if (room === undefined) return EMPTY
    const successor = owner === undefined ? null : await newRoom(owner, wish)
    await store.write('administration.unlist', function* () {
      yield* setPublished(room.nid, false)
      for (const alias of aliases) {
        yield* deleteAlias(alias)
        if (successor !== null)
          yield* insertAlias({ alias, room_id: successor, creator: adminId, ts: clock.now() })
      }
    })
    const kicked: string[] = []
    const failed: string[] = []
    const result = (): RemovalResult => ({
      kicked_users: kicked,
      failed_to_kick_users: failed,
      local_aliases: aliases,
      new_room_id: successor,
    })
    progress(result())
    const pace = createPace()
    for (const userId of users) {
      await pace()
      if (await move(userId, roomId, successor)) kicked.push(userId)
      else failed.push(userId)
    }
    return result()
  }

  /** One removal of a room at a time. */
  function begin(roomId: string): Removal {
    checkRoomId(roomId)
    if (active.has(roomId) || active.size >= MAX_ACTIVE)
      throw new MatrixError('M_LIMIT_EXCEEDED', 'The room is being removed, or too many others', {
        retry_after_ms: 5_000,
      })
    const removal: Removal = {
      delete_id: random.string(16),
      room_id: roomId,
      status: 'active',
      shutdown_room: EMPTY,
    }
    active.set(roomId, removal)
    return removal
  }

  function end(removal: Removal): void {
    const { room_id: roomId, delete_id: id } = removal
    active.delete(roomId)
    ended.set(id, removal)
    idsOf.set(roomId, [...(idsOf.get(roomId) ?? []), id].slice(-100))
  }

  async function work(adminId: string, removal: Removal, wish: RemovalWish): Promise<RemovalResult> {
    const { room_id: roomId } = removal
    let latest = removal
    try {
      const result = await run(adminId, roomId, wish, (shutdown_room) => {
        active.set(roomId, (latest = { ...latest, shutdown_room }))
      })
      end({ ...latest, status: 'complete', shutdown_room: result })
      return result
    } catch (error) {
      const why = error instanceof MatrixError ? error.message : 'an error of the server'
      end({ ...latest, status: 'failed', error: why })
      throw error
    }
  }

  return {
    remove: async (adminId, roomId, wish) => await work(adminId, begin(roomId), wish),

    async start(adminId, roomId, wish) {
      checkRoomId(roomId)
      const room = await store.read('administration.room', () => roomById(roomId))
      if (room === undefined) throw notFound('This server knows no such room')
      const removal = begin(roomId)
      void work(adminId, removal, wish).catch((error: unknown) => {
        logger.error({ err: error, roomId }, 'a room could not be removed')
      })
      return removal.delete_id
    },

    status(deleteId) {
      const found =
        [...active.values()].find((removal) => removal.delete_id === deleteId) ?? ended.get(deleteId)
      if (found === undefined) throw notFound('There is no such removal')
      return found
    },

    statusOf(roomId) {
      const running = active.get(roomId)
      const past = (idsOf.get(roomId) ?? []).flatMap((id) => ended.get(id) ?? [])
      const all = running === undefined ? past : [...past, running]
      if (all.length === 0) throw notFound('No removal of this room is known')
      return all
    },
  }
}
