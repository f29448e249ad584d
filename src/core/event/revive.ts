import { toSafeInteger } from '../json/integer.js'
import { parseJson } from '../json/parse.js'
import { isObject } from '../json/value.js'
import type { RoomVersionRules } from '../room-version/rules.js'
import type { Pdu, RoomEvent } from './types.js'

const idsOf = (list: unknown): string[] =>
  (list as readonly (string | readonly [string, unknown])[]).map((item) =>
    typeof item === 'string' ? item : item[0],
  )

/** Rebuilds an event that was checked when it came in. */
export function reviveEvent(json: string, id: string, roomId: string, rules: RoomVersionRules): RoomEvent {
  let pdu: Pdu
  if (rules.strictCanonicalJson) {
    pdu = JSON.parse(json) as Pdu
  } else {
    const parsed = parseJson(json)
    if (!parsed.ok) throw new Error(`the stored event ${id} is damaged: ${parsed.reason}`)
    pdu = parsed.value as Pdu
  }
  const redacts = rules.redactsIn === 'content' ? pdu.content['redacts'] : pdu['redacts']
  return {
    id,
    roomId,
    rules,
    type: pdu.type,
    sender: pdu.sender,
    stateKey: pdu['state_key'] as string | undefined,
    content: isObject(pdu.content) ? pdu.content : {},
    depth: toSafeInteger(pdu.depth),
    originServerTs: toSafeInteger(pdu.origin_server_ts),
    prevEvents: idsOf(pdu['prev_events']),
    authEvents: idsOf(pdu['auth_events']),
    redacts: pdu.type === 'm.room.redaction' && typeof redacts === 'string' ? redacts : undefined,
    pdu,
  }
}
