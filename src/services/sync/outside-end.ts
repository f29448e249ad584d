import { isObject, ownValue, type Json, type JsonObject } from '../../core/json/value.js'
import type { MembershipRow } from '../../storage/tables/memberships.js'

/** The event that ended an invite or a knock in a room whose state is not here, as clients see it, with what filters look at. */
export interface OutsideEnd {
  readonly type: string
  readonly sender: string
  readonly content: JsonObject
  readonly json: JsonObject
}

/** Undefined where it is not known: rows of before it was kept still hold what came with the invite. */
export function outsideEnd(row: MembershipRow): OutsideEnd | undefined {
  if (row.event_nid !== null || row.stripped_state === null) return undefined
  const kept = JSON.parse(row.stripped_state) as Json
  const json = Array.isArray(kept) ? (kept as readonly Json[])[0] : undefined
  if (!isObject(json) || typeof ownValue(json, 'event_id') !== 'string') return undefined
  const { type, sender, content } = json
  if (typeof type !== 'string' || typeof sender !== 'string' || !isObject(content)) return undefined
  if (
    type !== 'm.room.member' ||
    json['state_key'] !== row.user_id ||
    content['membership'] !== row.membership
  )
    return undefined
  return { type, sender, content, json }
}
