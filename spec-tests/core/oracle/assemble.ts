import { eventId } from '../../../src/core/event/event-id.js'
import { contentHash, referenceHash } from '../../../src/core/event/hash.js'
import type { Pdu } from '../../../src/core/event/types.js'
import type { Json, JsonObject } from '../../../src/core/json/value.js'
import type { RoomVersionRules } from '../../../src/core/room-version/rules.js'
import type { Blueprint } from './blueprint.js'

export interface Assembled {
  readonly pdu: Pdu
  readonly id: string
  /** Makes the event one that later blueprints can refer to. */
  readonly keep: () => void
}

export const ROOM_ID = '!room:a.example'
const OTHER_ROOM_ID = '!other:a.example'
const FAKE_SIGNATURE = 'A'.repeat(86)

/** Turns blueprints into PDUs one by one, with true hashes and ids and signatures that only look like some. */
export function createAssembler(rules: RoomVersionRules): (blueprint: Blueprint) => Assembled {
  const built: { readonly pdu: Pdu; readonly id: string }[] = []
  const pairs = rules.eventIds === 'on-the-wire'
  let roomId = ROOM_ID

  const reference = (to: number | string): Json => {
    const id = typeof to === 'string' ? to : built[to]!.id
    if (!pairs) return id
    return [id, { sha256: typeof to === 'string' ? '' : referenceHash(built[to]!.pdu, rules) }]
  }

  return (blueprint) => {
    const hashedRoomId = rules.roomIds === 'create-hash'
    const first = built.length === 0
    const createsRoom = hashedRoomId && (first || blueprint.outlier === true)
    const fields: Record<string, Json> = {
      type: blueprint.type,
      sender: blueprint.sender,
      content: blueprint.content,
      depth: blueprint.depth,
      origin_server_ts: blueprint.ts,
      prev_events: blueprint.prev.map(reference),
      auth_events: blueprint.auth.map(reference),
      ...blueprint.extra,
    }
    if (!createsRoom) fields['room_id'] = blueprint.outlier === true ? OTHER_ROOM_ID : roomId
    if (blueprint.stateKey !== undefined) fields['state_key'] = blueprint.stateKey
    if (blueprint.redacts !== undefined) {
      const redacted = built[blueprint.redacts]!.id
      if (rules.redactsIn === 'event') fields['redacts'] = redacted
      else fields['content'] = { ...blueprint.content, redacts: redacted }
    }
    if (pairs) fields['event_id'] = `$${blueprint.idLocalpart}:${blueprint.idDomain}`
    const pdu = sealed(fields, blueprint.sender, rules)
    const id = eventId(pdu, rules)
    return {
      pdu,
      id,
      keep() {
        if (first && hashedRoomId) roomId = `!${id.slice(1)}`
        built.push({ pdu, id })
      },
    }
  }
}

/** Adds the content hash and a signature that has the right shape. */
export function sealed(fields: JsonObject, sender: string, rules: RoomVersionRules): Pdu {
  const bare = { ...fields, hashes: {}, signatures: {} } as unknown as Pdu
  const server = sender.slice(sender.indexOf(':') + 1)
  return {
    ...bare,
    hashes: { sha256: contentHash(bare, rules) },
    signatures: { [server]: { 'ed25519:1': FAKE_SIGNATURE } },
  }
}
