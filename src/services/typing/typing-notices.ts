import { forbidden } from '../../core/errors.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import type { JsonObject } from '../../core/json/value.js'
import type { Notifier } from '../../platform/notifier.js'
import { membershipOf } from '../../storage/tables/memberships.js'
import type { Requester } from '../requester.js'
import { type RoomsContext } from '../rooms/context.js'
import { notInRoom } from '../rooms/not-in-room.js'
import { mayBeJoined } from '../rooms/residence.js'
import type { RoomSnapshot } from '../rooms/working-room.js'
import type { Typing } from './typing.js'

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#typing-notifications */
export interface TypingNotices {
  /** `timeoutMs` undefined: stopped typing. Throws M_FORBIDDEN. */
  set(
    requester: Requester,
    input: { readonly roomId: string; readonly userId: string; readonly timeoutMs: number | undefined },
  ): Promise<void>
  /** An `m.typing` of another server; what is not of its users or not of a known room is passed over. */
  onEdu(origin: string, content: JsonObject): Promise<void>
  /** Job: ends what is outlived. */
  expire(): Promise<void>
}

/** How long a remote user types without word of an end. */
const REMOTE_TIMEOUT = 30_000

export function createTypingNotices(deps: {
  readonly context: RoomsContext
  readonly typing: Typing
  readonly notifier: Notifier
  /** Sends an EDU that need not survive a restart. */
  sendEphemeral(
    destinations: readonly string[],
    edu: { edu_type: string; content: JsonObject },
    key: string,
  ): void
}): TypingNotices {
  const { context, typing } = deps

  async function membership(room: RoomSnapshot | undefined, userId: string): Promise<string | undefined> {
    if (room === undefined) return undefined
    return (await context.store.read('typing.member', () => membershipOf(room.nid, userId)))?.membership
  }

  async function wake(roomNid: number): Promise<void> {
    deps.notifier.notify((await context.rosters.of(roomNid)).local)
  }

  return {
    async set(requester, { roomId, userId, timeoutMs }) {
      if (userId !== requester.userId) throw forbidden('You can type for yourself only')
      const room = await context.loader.load(roomId)
      if (room === undefined || (await membership(room, userId)) !== 'join') throw notInRoom()
      const changed = typing.set(room.nid, userId, timeoutMs)
      if (changed) await wake(room.nid)
      const { servers } = await context.rosters.of(room.nid)
      const content = { room_id: roomId, user_id: userId, typing: timeoutMs !== undefined }
      deps.sendEphemeral([...servers.keys()], { edu_type: 'm.typing', content }, `typing ${roomId} ${userId}`)
    },

    async onEdu(origin, content) {
      const { room_id: roomId, user_id: userId } = content
      if (typeof roomId !== 'string' || typeof userId !== 'string' || serverNameOf(userId) !== origin) return
      const room = await context.loader.load(roomId)
      if (room === undefined || !(await mayBeJoined(context, room, userId))) return
      const timeout = content['typing'] === true ? REMOTE_TIMEOUT : undefined
      if (typing.set(room.nid, userId, timeout)) await wake(room.nid)
    },

    async expire() {
      for (const roomNid of typing.expire()) await wake(roomNid)
    },
  }
}
