import { fitsId, isLegalText } from '../ids/common.js'
import { isObject, ownValue } from '../json/value.js'
import type { RoomEvent } from './types.js'

/** What an event says that it relates to. */
export interface Relation {
  /** `m.thread`, `m.replace`, `m.annotation`, `m.reference` or any other name. */
  readonly type: string
  /** The parent, which may be unknown, or of another room. */
  readonly eventId: string
}

/**
 * The relation in the clear part of an event's content; undefined where there is none or it is malformed. A rich reply has no type and is none.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#forming-relationships-between-events
 * NOTSPEC: a type of more than 255 bytes, or with NUL or a lone surrogate in it, is ignored: it could be neither stored nor asked for.
 */
export function relationOf(event: Pick<RoomEvent, 'content'>): Relation | undefined {
  const relation = ownValue(event.content, 'm.relates_to')
  if (!isObject(relation)) return undefined
  const type = ownValue(relation, 'rel_type')
  const eventId = ownValue(relation, 'event_id')
  if (typeof type !== 'string' || type === '' || !isName(type)) return undefined
  if (typeof eventId !== 'string' || !eventId.startsWith('$') || !isName(eventId)) return undefined
  return { type, eventId }
}

const isName = (text: string): boolean => fitsId(text) && isLegalText(text)

/**
 * Whether an event may replace another one, as far as that can be told of itself. Sender and type must agree with the original's,
 * which must be no replacement and no state event itself.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#validity-of-replacement-events
 */
export function isReplacement(event: Pick<RoomEvent, 'content' | 'type' | 'stateKey'>): boolean {
  if (event.stateKey !== undefined || relationOf(event)?.type !== 'm.replace') return false
  // The new content of an encrypted one is within what only clients can read.
  return event.type === 'm.room.encrypted' || isObject(ownValue(event.content, 'm.new_content'))
}
