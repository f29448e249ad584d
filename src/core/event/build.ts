import { MatrixError } from '../errors.js'
import { NotCanonical } from '../json/canonical.js'
import type { Json, JsonObject } from '../json/value.js'
import type { RoomVersionRules } from '../room-version/rules.js'
import { contentHash } from './hash.js'
import { readPdu } from './format.js'
import { addSignature, eventSigningInput, type Signer } from './sign.js'
import { stickyMember } from './sticky.js'
import type { Pdu, RoomEvent } from './types.js'

/** What a new event says. Everything else is computed. */
export interface EventFields {
  readonly type: string
  readonly sender: string
  /** Left out for message events. */
  readonly stateKey?: string | undefined
  readonly content: JsonObject
  /** Left out for the create event of room version 12. */
  readonly roomId?: string | undefined
  readonly depth: number
  /** Milliseconds since 1970. */
  readonly originServerTs: number
  readonly prevEvents: readonly string[]
  readonly authEvents: readonly string[]
  /** The event to redact, put where the room version keeps it. */
  readonly redacts?: string | undefined
  /** Milliseconds for which it is to reach everybody; left out for ordinary events. */
  readonly stickyMs?: number | undefined
  /** Room versions 1 and 2 only, and needed there: `$opaque:domain`. */
  readonly eventId?: string | undefined
  /** Room versions 1 and 2 only: the reference hashes of the events referred to, where they are known. */
  readonly referenceHashOf?: ((eventId: string) => string | undefined) | undefined
}

/**
 * Assembles, hashes and signs an event of our own, from our own fields.
 * Throws `MatrixError`: M_TOO_LARGE for an event above 65,536 bytes, M_BAD_JSON for one that other servers would drop,
 * e.g. with a float in its content.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#adding-hashes-and-signatures-to-outgoing-events
 */
export function buildEvent(fields: EventFields, rules: RoomVersionRules, signer: Signer): RoomEvent {
  try {
    const pdu = assemble(fields, rules)
    const hashed = { ...pdu, hashes: { sha256: contentHash(pdu, rules) } } as unknown as Pdu
    const signature = signer.sign(eventSigningInput(hashed, rules))
    const result = readPdu(addSignature(hashed, signer.serverName, signer.keyId, signature), rules)
    if (result.ok) return result.event
    if (result.rule === 'format.size') throw new MatrixError('M_TOO_LARGE', 'The event is too large')
    throw new MatrixError('M_BAD_JSON', result.reason)
  } catch (error) {
    if (error instanceof NotCanonical) throw new MatrixError('M_BAD_JSON', `Bad event: ${error.message}`)
    throw error
  }
}

function assemble(fields: EventFields, rules: RoomVersionRules): JsonObject {
  const onTheWire = rules.eventIds === 'on-the-wire'
  const references = (ids: readonly string[]): Json => {
    if (!onTheWire) return ids
    return ids.map((id) => {
      const sha256 = fields.referenceHashOf?.(id)
      return [id, sha256 === undefined ? {} : { sha256 }]
    })
  }
  const { redacts } = fields
  const inContent = redacts !== undefined && rules.redactsIn === 'content'
  return {
    type: fields.type,
    sender: fields.sender,
    content: inContent ? { ...fields.content, redacts } : fields.content,
    depth: fields.depth,
    origin_server_ts: fields.originServerTs,
    prev_events: references(fields.prevEvents),
    auth_events: references(fields.authEvents),
    ...(fields.roomId === undefined ? {} : { room_id: fields.roomId }),
    ...(fields.stateKey === undefined ? {} : { state_key: fields.stateKey }),
    ...(redacts === undefined || inContent ? {} : { redacts }),
    ...(fields.stickyMs === undefined ? {} : stickyMember(fields.stickyMs)),
    ...(onTheWire && fields.eventId !== undefined ? { event_id: fields.eventId } : {}),
  }
}
