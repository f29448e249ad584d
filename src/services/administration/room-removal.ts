import { MatrixError, notFound } from '../../core/errors.js'
import type { JsonObject } from '../../core/json/value.js'
import { blockRoom } from '../../storage/tables/blocked-rooms.js'
import { roomById } from '../../storage/tables/rooms.js'
import type { Store } from '../../storage/tx.js'
import { checkRoomId } from '../rooms/blocked-rooms.js'
import type { Clock } from '../../platform/clock.js'
import { localUser } from './local-user.js'
import { NOBODY, removalOf, type RemovalResult } from './removal-work.js'
import type { AdminTask, AdminTasks } from './tasks.js'

export interface RemovalWish {
  /** Nobody of this server comes into the room any more. */
  readonly block: boolean
  /** A new room of this user, where those of the old one are told why. */
  readonly newRoomUserId?: string | undefined
  readonly roomName?: string | undefined
  readonly message?: string | undefined
  /** What was said in it goes from the database, but for what is under a legal hold; unless somebody of this server could not leave. */
  readonly purge: boolean
  /** Even then. */
  readonly forcePurge?: boolean | undefined
}

export interface Removal {
  readonly delete_id: string
  readonly room_id: string
  readonly status: 'active' | 'complete' | 'failed'
  readonly error?: string
  readonly shutdown_room: RemovalResult
  /** Messages whose content is gone. */
  readonly purged_events?: number
}

/**
 * Ends a room for this server: its users leave it and forget it, its aliases and its place in the list go, it may be blocked, and what was said in it
 * goes. The room is out of everybody's sight then, and other servers go on with it. What has begun goes on after a restart.
 */
export interface RoomRemoval {
  /** Throws M_INVALID_PARAM; M_NOT_FOUND for a room that is not known, unless it is to be blocked; M_LIMIT_EXCEEDED. */
  remove(adminId: string, roomId: string, wish: RemovalWish): Promise<RemovalResult>
  /** The same in the background; gives the removal's id. Throws M_NOT_FOUND. */
  start(adminId: string, roomId: string, wish: RemovalWish): Promise<string>
  /** For a week. Throws M_NOT_FOUND. */
  status(deleteId: string): Promise<Removal>
  statusOf(roomId: string): Promise<readonly Removal[]>
}

const ACTION = 'shutdown_and_purge_room'

function shown(task: AdminTask): Removal {
  const { result, purgedEvents } = removalOf(task)
  return {
    delete_id: task.id,
    room_id: task.resource,
    status: task.status,
    ...(task.error === undefined ? {} : { error: task.error }),
    shutdown_room: result,
    ...(purgedEvents === undefined ? {} : { purged_events: purgedEvents }),
  }
}

export function createRoomRemoval(deps: {
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
  readonly serverName: string
  readonly tasks: AdminTasks
}): RoomRemoval {
  const { store, clock, tasks } = deps

  /** Whether the room is known here. Throws where the wish cannot be fulfilled. */
  async function check(roomId: string, wish: RemovalWish): Promise<boolean> {
    checkRoomId(roomId)
    const owner = wish.newRoomUserId
    const room = await store.read('administration.room', function* () {
      if (owner !== undefined) yield* localUser(owner, deps.serverName)
      return yield* roomById(roomId)
    })
    return room !== undefined
  }

  const begin = (adminId: string, roomId: string, wish: RemovalWish): Promise<string> =>
    tasks.start(ACTION, roomId, adminId, {
      ...{ block: wish.block, purge: wish.purge, force_purge: wish.forcePurge === true },
      ...{ owner: wish.newRoomUserId ?? null, name: wish.roomName ?? null, message: wish.message ?? null },
    } satisfies JsonObject)

  return {
    async remove(adminId, roomId, wish) {
      const isKnown = await check(roomId, wish)
      if (!isKnown && !wish.block) throw notFound('This server knows no such room')
      if (!isKnown) {
        await store.write('administration.block', () => blockRoom(roomId, adminId, clock.now()))
        return NOBODY
      }
      const task = await tasks.settled(await begin(adminId, roomId, wish))
      if (task.status !== 'complete')
        throw new MatrixError('M_UNKNOWN', task.error ?? 'This goes on when the server has started again')
      return removalOf(task).result
    },

    async start(adminId, roomId, wish) {
      if (!(await check(roomId, wish))) throw notFound('This server knows no such room')
      return begin(adminId, roomId, wish)
    },

    status: async (deleteId) => shown(await tasks.get(deleteId, ACTION)),

    async statusOf(roomId) {
      const found = await tasks.list({ action: ACTION, resource: roomId })
      if (found.length === 0) throw notFound('No removal of this room is known')
      return found.map(shown).toReversed()
    },
  }
}
