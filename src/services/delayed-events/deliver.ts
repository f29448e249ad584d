import { forbidden } from '../../core/errors.js'
import { parseJson } from '../../core/json/parse.js'
import { isObject, type JsonObject } from '../../core/json/value.js'
import type { DelayedEventRow } from '../../storage/tables/delayed-events.js'
import { expiredAmong } from '../../storage/tables/account-validity.js'
import { userById } from '../../storage/tables/users.js'
import type { Store } from '../../storage/tx.js'
import type { Requester } from '../requester.js'
import type { Memberships } from '../rooms/membership.js'
import type { Sending } from '../rooms/send.js'

export interface DeliverDeps {
  readonly store: Store
  readonly sending: Pick<Sending, 'message' | 'state'>
  readonly memberships: Pick<Memberships, 'put'>
}

export function readContent(row: Pick<DelayedEventRow, 'content'>): JsonObject {
  const read = parseJson(row.content)
  if (!read.ok || !isObject(read.value)) throw new Error('a delayed event has no content')
  return read.value
}

/** Who has scheduled it, as they are now. Throws M_FORBIDDEN for those who may say nothing any more. */
async function senderOf(store: Store, row: DelayedEventRow): Promise<Requester> {
  const { user, expired } = await store.read('delayedEvents.sender', function* () {
    return { user: yield* userById(row.user_id), expired: yield* expiredAmong([row.user_id]) }
  })
  if (user === undefined || user.deactivated === 1 || user.locked === 1 || expired.size > 0)
    throw forbidden('This account may not send events any more')
  return {
    userId: row.user_id,
    deviceId: row.device_id ?? undefined,
    isGuest: user.is_guest === 1,
    isAdmin: false,
    isSuspended: user.suspended === 1,
    appserviceId: row.appservice_id ?? undefined,
  }
}

/**
 * Sends a delayed event, as its user could at this moment. What a process has sent that then ended is not sent again: its id is the id of a transaction.
 * Gives the event id. Throws what sending throws.
 */
export async function deliver(deps: DeliverDeps, row: DelayedEventRow): Promise<string> {
  const requester = await senderOf(deps.store, row)
  const content = readContent(row)
  const { room_id: roomId, type, state_key: stateKey, delay_id: delayId } = row
  const ts = row.ts ?? undefined
  const stickyMs = row.sticky_ms ?? undefined
  if (stateKey !== null && type === 'm.room.member')
    return (await deps.memberships.put(requester, { roomId, userId: stateKey, content, ts })).event_id
  const sent =
    stateKey === null
      ? await deps.sending.message(requester, {
          roomId,
          type,
          content,
          ts,
          stickyMs,
          txnId: delayId,
          isDelayed: true,
        })
      : await deps.sending.state(requester, { roomId, type, stateKey, content, ts, stickyMs, delayId })
  return sent.event_id
}
