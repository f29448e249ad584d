import { isServerName } from './ids/server-name.js'
import { isRoomId } from './ids/room-id.js'
import { isUserId } from './ids/user-id.js'
import { isObject, ownValue, type Json, type JsonObject } from './json/value.js'

/** One room in a space, as an `m.space.child` event says. SPEC: https://spec.matrix.org/v1.19/client-server-api/#mspacechild */
export interface SpaceChild {
  readonly roomId: string
  /** Servers through which the room can be reached. */
  readonly via: readonly string[]
  readonly suggested: boolean
  /** Undefined for none, and for one that the specification tells to ignore. */
  readonly order: string | undefined
  /** Milliseconds; of the event. */
  readonly ts: number
  /** The event as others are shown it: stripped, with its `origin_server_ts`. */
  readonly event: JsonObject
}

/** What of an event makes it a child; of our own events and of what other servers say. */
export interface ChildFields {
  readonly type: Json | undefined
  readonly stateKey: Json | undefined
  readonly sender: Json | undefined
  readonly content: Json | undefined
  readonly ts: Json | undefined
}

const MAX_VIA = 20
const ORDER = /^[\x20-\x7e]{1,50}$/

/** Undefined for what is no child: another event, a bad room id, or no `via`, which is how a child is taken out. */
export function readSpaceChild({ type, stateKey, sender, content, ts }: ChildFields): SpaceChild | undefined {
  if (type !== 'm.space.child' || typeof stateKey !== 'string' || !isRoomId(stateKey)) return undefined
  if (typeof sender !== 'string' || !isUserId(sender) || !isObject(content)) return undefined
  const time = Number(ts)
  if (!Number.isSafeInteger(time)) return undefined
  const list = ownValue(content, 'via')
  if (!Array.isArray(list)) return undefined
  const via = (list as readonly Json[]).filter(
    (server): server is string => typeof server === 'string' && isServerName(server),
  )
  if (via.length === 0) return undefined
  const order = ownValue(content, 'order')
  return {
    roomId: stateKey,
    via: via.slice(0, MAX_VIA),
    suggested: ownValue(content, 'suggested') === true,
    order: typeof order === 'string' && ORDER.test(order) ? order : undefined,
    ts: time,
    event: { type, state_key: stateKey, sender, content, origin_server_ts: time },
  }
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/**
 * Those with an `order` first, by it; the others by age; room ids decide ties.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#ordering-of-children-within-a-space
 */
export function compareSpaceChildren(a: SpaceChild, b: SpaceChild): number {
  if ((a.order === undefined) !== (b.order === undefined)) return a.order === undefined ? 1 : -1
  const ordered = a.order === undefined || b.order === undefined ? 0 : byText(a.order, b.order)
  return ordered || a.ts - b.ts || byText(a.roomId, b.roomId)
}
