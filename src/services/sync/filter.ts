import { compileEventFields } from '../../core/event-fields.js'
import { compileEventFilter, type EventFilter } from '../../core/event-filter.js'
import { isObject, type JsonObject } from '../../core/json/value.js'

/**
 * A whole filter of `/sync`, compiled. SPEC: https://spec.matrix.org/v1.19/client-server-api/#filtering
 * NOTSPEC: `limit` bounds timelines alone. What else were left out of an answer no later one would bring, and clients cannot page for it.
 */
export interface SyncFilter {
  readonly includeLeave: boolean
  admitsRoom(roomId: string): boolean
  readonly timeline: EventFilter
  readonly state: EventFilter
  readonly ephemeral: EventFilter
  readonly roomAccountData: EventFilter
  readonly accountData: EventFilter
  readonly presence: EventFilter
  /** Leaves of a room's event what the client asked for. */
  readonly shape: ((event: JsonObject) => JsonObject) | undefined
  readonly format: 'client' | 'federation'
}

export function compileSyncFilter(json: JsonObject): SyncFilter {
  const room = isObject(json['room']) ? json['room'] : {}
  const rooms = compileEventFilter(room)
  const fields = json['event_fields']
  return {
    includeLeave: room['include_leave'] === true,
    admitsRoom: (roomId) => rooms.admitsRoom(roomId),
    timeline: compileEventFilter(room['timeline']),
    state: compileEventFilter(room['state']),
    ephemeral: compileEventFilter(room['ephemeral']),
    roomAccountData: compileEventFilter(room['account_data']),
    accountData: compileEventFilter(json['account_data']),
    presence: compileEventFilter(json['presence']),
    shape: Array.isArray(fields) ? compileEventFields(fields as readonly string[]) : undefined,
    format: json['event_format'] === 'federation' ? 'federation' : 'client',
  }
}
