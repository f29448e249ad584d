import type { Json, JsonObject } from '../../core/json/value.js'
import { isObject } from '../../core/json/value.js'
import type { Action } from '../../core/push-rules/rules.js'
import type { PusherRow } from '../../storage/tables/pushers.js'
import { readState, type RoomsContext } from '../rooms/context.js'
import type { StoredEvent } from '../rooms/stored-event.js'
import { mapKey } from '../rooms/working-room.js'

/** What a gateway is told of an event and its room, whoever is told. */
export interface Subject {
  readonly eventId: string | undefined
  readonly roomId: string
  readonly type: string
  readonly sender: string
  readonly stateKey: string | undefined
  readonly content: JsonObject
  readonly senderName: string | undefined
  readonly roomName: string | undefined
  readonly roomAlias: string | undefined
}

/** A larger content is left out: no gateway can pass it on. */
const MAX_CONTENT_BYTES = 16 * 1_024
const MAX_TWEAKS = 20

const textIn = (content: JsonObject | undefined, key: string): string | undefined => {
  const value = content?.[key]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** An event of a room that this server is in. */
export async function subjectOf(
  context: Pick<RoomsContext, 'events' | 'states' | 'loader'>,
  { event }: StoredEvent,
): Promise<Subject> {
  const keys = [
    { type: 'm.room.name', stateKey: '' },
    { type: 'm.room.canonical_alias', stateKey: '' },
    { type: 'm.room.member', stateKey: event.sender },
  ]
  const room = await context.loader.load(event.roomId)
  const state = room === undefined ? undefined : await readState(context, room, keys)
  const contentOf = (at: number): JsonObject | undefined => state?.get(mapKey(keys[at]!))?.event.content
  return {
    eventId: event.id,
    roomId: event.roomId,
    type: event.type,
    sender: event.sender,
    stateKey: event.stateKey,
    content: event.content,
    senderName: textIn(contentOf(2), 'displayname'),
    roomName: textIn(contentOf(0), 'name'),
    roomAlias: textIn(contentOf(1), 'alias'),
  }
}

/** An invite to a room of which no more is known than what came with it. */
export function inviteSubject(
  roomId: string,
  userId: string,
  sender: string,
  strippedState: string | null,
): Subject {
  const parsed = strippedState === null ? [] : (JSON.parse(strippedState) as Json)
  const events = (Array.isArray(parsed) ? (parsed as readonly Json[]) : []).filter(isObject)
  const find = (type: string, stateKey: string): JsonObject | undefined =>
    events.find((event) => event['type'] === type && event['state_key'] === stateKey)
  const contentOf = (event: JsonObject | undefined): JsonObject | undefined => {
    const content = event?.['content']
    return isObject(content) ? content : undefined
  }
  const own = find('m.room.member', userId)
  return {
    eventId: textIn(own, 'event_id'),
    roomId,
    type: 'm.room.member',
    sender,
    stateKey: userId,
    content: contentOf(own) ?? { membership: 'invite' },
    senderName: textIn(contentOf(find('m.room.member', sender)), 'displayname'),
    roomName: textIn(contentOf(find('m.room.name', '')), 'name'),
    roomAlias: textIn(contentOf(find('m.room.canonical_alias', '')), 'alias'),
  }
}

/** Tweaks without a value are flags. SPEC: https://spec.matrix.org/v1.19/client-server-api/#actions */
export function tweaksOf(actions: readonly Action[]): JsonObject {
  const tweaks = new Map<string, Json>()
  for (const action of actions) {
    if (typeof action !== 'object' || tweaks.size >= MAX_TWEAKS) continue
    tweaks.set(action.set_tweak, action.value ?? true)
  }
  return Object.fromEntries(tweaks)
}

type Recipient = Pick<PusherRow, 'user_id' | 'app_id' | 'pushkey' | 'pushkey_ts' | 'data'>

function device(pusher: Recipient, tweaks: JsonObject | undefined): JsonObject {
  const { url: _url, ...data } = JSON.parse(pusher.data) as JsonObject
  return {
    app_id: pusher.app_id,
    pushkey: pusher.pushkey,
    pushkey_ts: Math.floor(pusher.pushkey_ts / 1_000),
    data,
    ...(tweaks === undefined ? {} : { tweaks }),
  }
}

/**
 * NOTSPEC: the number is there even if it is zero, which the specification would rather leave out: gateways clear a badge by a zero alone.
 */
const counts = (unread: number): JsonObject => ({ unread })

/** SPEC: https://spec.matrix.org/v1.19/push-gateway-api/#post_matrixpushv1notify */
export function eventNotification(
  pusher: Recipient,
  subject: Subject,
  actions: readonly Action[],
  unread: number,
): JsonObject {
  const tweaks = tweaksOf(actions)
  const { format } = JSON.parse(pusher.data) as JsonObject
  const which: JsonObject = {
    ...(subject.eventId === undefined ? {} : { event_id: subject.eventId }),
    room_id: subject.roomId,
  }
  // Nobody here knows how much an encrypted message matters.
  const isUrgent =
    subject.type === 'm.room.encrypted' || tweaks['sound'] !== undefined || tweaks['highlight'] === true
  const rest: JsonObject = {
    prio: isUrgent ? 'high' : 'low',
    counts: counts(unread),
    devices: [device(pusher, tweaks)],
  }
  if (format === 'event_id_only') return { notification: { ...which, ...rest } }
  const fits = Buffer.byteLength(JSON.stringify(subject.content)) <= MAX_CONTENT_BYTES
  return {
    notification: {
      ...which,
      type: subject.type,
      sender: subject.sender,
      ...(subject.senderName === undefined ? {} : { sender_display_name: subject.senderName }),
      ...(subject.roomName === undefined ? {} : { room_name: subject.roomName }),
      ...(subject.roomAlias === undefined ? {} : { room_alias: subject.roomAlias }),
      ...(subject.type === 'm.room.member' ? { user_is_target: subject.stateKey === pusher.user_id } : {}),
      ...(fits ? { content: subject.content } : {}),
      ...rest,
    },
  }
}

/** The number of unread messages alone. */
export const badgeNotification = (pusher: Recipient, unread: number): JsonObject => ({
  notification: { prio: 'low', counts: counts(unread), devices: [device(pusher, undefined)] },
})
