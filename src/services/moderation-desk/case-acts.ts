import type { Act } from '../../core/audit/acts.js'
import { forbidden, invalidParam, notFound } from '../../core/errors.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import { isObject, type Json } from '../../core/json/value.js'
import type { Random } from '../../platform/random.js'
import { localMembers } from '../../storage/tables/memberships.js'
import type { ReportedCase } from '../../storage/tables/report-cases.js'
import type { Moderation } from '../accounts/moderation.js'
import { mediaIn } from '../administration/room-media.js'
import type { RoomRemoval } from '../administration/room-removal.js'
import type { MediaModeration } from '../media/media-moderation.js'
import { requesterOf } from '../requester.js'
import { loadRoom, readPowerLevels, type RoomsContext } from '../rooms/context.js'
import type { Sending } from '../rooms/send.js'

/** What a moderator may do about what was reported. */
export const CASE_ACTIONS = ['redact', 'lock', 'suspend', 'quarantine_media', 'shut_down_room'] as const
export type CaseAction = (typeof CASE_ACTIONS)[number]

export interface ActWish {
  readonly action: CaseAction
  /** Goes into the redaction, and into the audit log. */
  readonly reason: string | undefined
  /** `shut_down_room`: its people of this server are told this, in a new room of the moderator's. */
  readonly message?: string | undefined
}

export interface CaseActs {
  /** Whether the act and its line in the audit log are one transaction: nobody needs to write before it that it begins. */
  isOneTransaction(action: CaseAction): boolean
  /**
   * `by`: the user id of the moderator; undefined: whoever has the machine. Gives what was done, in numbers and names. Throws M_INVALID_PARAM where the case has nothing of
   * that kind, M_FORBIDDEN, M_NOT_FOUND, and what the act throws. `details` stand in the audit log where the act writes its own line.
   */
  carryOut(
    found: ReportedCase,
    wish: ActWish,
    by: string | undefined,
    details: Readonly<Record<string, string | number>>,
  ): Promise<Readonly<Record<string, string | number>>>
}

export function createCaseActs(deps: {
  readonly context: RoomsContext
  readonly random: Random
  readonly serverName: string
  readonly moderation: Pick<Moderation, 'set'>
  readonly media: Pick<MediaModeration, 'quarantine'>
  readonly sending: Pick<Sending, 'redact'>
  readonly roomRemoval: Pick<RoomRemoval, 'start'>
}): CaseActs {
  const { context, serverName } = deps
  const isLocal = (userId: string): boolean => serverNameOf(userId) === serverName

  /** Somebody of this server who may take the event back: its sender, else who has the power for it. */
  async function redactor({ room_id: roomId, user_id: sender }: ReportedCase): Promise<string> {
    if (isLocal(sender)) return sender
    const room = await loadRoom(context, roomId)
    const levels = await readPowerLevels(context, room)
    const locals = await context.store.read('desk.locals', () => localMembers(room.nid, 'join'))
    const able = locals.find((userId) => levels.user(userId) >= levels.redact)
    if (able === undefined)
      throw forbidden(
        'Nobody of this server may take back what others say in this room: shut it down, or ask its own moderators',
      )
    return able
  }

  async function redact(found: ReportedCase, reason: string | undefined): Promise<{ redaction: string }> {
    if (found.kind !== 'event') throw invalidParam('The report names no event')
    const { event_id: redaction } = await deps.sending.redact(requesterOf(await redactor(found)), {
      roomId: found.room_id,
      eventId: found.event_id,
      txnId: `desk-${deps.random.string(24)}`,
      reason,
      extra: {},
    })
    return { redaction }
  }

  async function setFlag(
    found: ReportedCase,
    flag: 'locked' | 'suspended',
    by: string | undefined,
    why: Pick<Act, 'reason' | 'details'>,
  ): Promise<{ user: string }> {
    if (found.user_id === '') throw invalidParam('The report names no user')
    if (!isLocal(found.user_id))
      throw invalidParam('The user is of another server: nobody here can lock or suspend the account')
    await deps.moderation.set(by, found.user_id, flag, true, undefined, why)
    return { user: found.user_id }
  }

  async function quarantine(found: ReportedCase, by: string | undefined): Promise<{ media: number }> {
    const event = found.event_json === null ? undefined : (JSON.parse(found.event_json) as Json)
    const content = isObject(event) ? event['content'] : undefined
    const keys = isObject(content) ? mediaIn(content) : []
    if (keys.length === 0) throw invalidParam('The report names no event with media that this server can see')
    return { media: await deps.media.quarantine(keys, by ?? `@:${serverName}`) }
  }

  async function shutDown(
    found: ReportedCase,
    message: string | undefined,
    by: string | undefined,
  ): Promise<{ removal: string }> {
    if (found.room_id === '') throw invalidParam('The report names no room')
    if (message !== undefined && by === undefined)
      throw invalidParam('A notice needs a moderator in whose room it stands')
    const removal = await deps.roomRemoval.start(by ?? `@:${serverName}`, found.room_id, {
      block: true,
      // What was said may be wanted where the case goes on.
      purge: false,
      ...(message === undefined ? {} : { newRoomUserId: by, message }),
    })
    return { removal }
  }

  return {
    isOneTransaction: (action) => action === 'lock' || action === 'suspend',

    async carryOut(found, { action, reason, message }, by, details) {
      switch (action) {
        case 'redact':
          return await redact(found, reason)
        case 'lock':
          return await setFlag(found, 'locked', by, { reason, details })
        case 'suspend':
          return await setFlag(found, 'suspended', by, { reason, details })
        case 'quarantine_media':
          return await quarantine(found, by)
        case 'shut_down_room':
          return await shutDown(found, message, by)
        default:
          throw notFound('There is no such action')
      }
    },
  }
}
