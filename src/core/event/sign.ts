import { canonicalJson, type CanonicalMode } from '../json/canonical.js'
import { isObject, ownValue, type JsonObject } from '../json/value.js'
import { parseOpaqueEventId } from '../ids/event-id.js'
import { parseUserId } from '../ids/user-id.js'
import type { RoomVersionRules } from '../room-version/rules.js'
import { canonicalMode, without } from './hash.js'
import { redact } from './redact.js'
import { refuse, type Pdu, type Refusal, type RoomEvent } from './types.js'

/** Who signs, and how. The key itself stays outside of core. */
export interface Signer {
  readonly serverName: string
  /** `ed25519:version` */
  readonly keyId: string
  /** Gives an Ed25519 signature as unpadded standard base64. */
  readonly sign: (bytes: Uint8Array) => string
}

const ENCODER = new TextEncoder()

/**
 * The bytes that a signature of a JSON object covers: its canonical form without `signatures` and `unsigned`.
 * Throws `NotCanonical` for an object that has no canonical form.
 * SPEC: https://spec.matrix.org/v1.19/appendices/#signing-json
 */
export function signingInput(object: JsonObject, mode: CanonicalMode = 'strict'): Uint8Array {
  return ENCODER.encode(canonicalJson(without(object, ['signatures', 'unsigned']), mode))
}

/** The bytes that a signature of an event covers: those of its redacted form. */
export function eventSigningInput(pdu: Pdu, rules: RoomVersionRules): Uint8Array {
  return signingInput(redact(pdu, rules), canonicalMode(rules))
}

/** A copy of an object with one signature more; another signature by the same key is replaced. */
export function addSignature<T extends JsonObject>(
  object: T,
  server: string,
  keyId: string,
  signature: string,
): T {
  const all = ownValue(object, 'signatures')
  const ofServer = isObject(all) ? ownValue(all, server) : undefined
  return {
    ...object,
    signatures: {
      ...(isObject(all) ? all : {}),
      [server]: { ...(isObject(ofServer) ? ofServer : {}), [keyId]: signature },
    },
  }
}

/** The signatures that a server has put on an object, by key id. Junk counts as none. */
export function signaturesOf(object: JsonObject, server: string): ReadonlyMap<string, string> {
  const all = ownValue(object, 'signatures')
  const ofServer = isObject(all) ? ownValue(all, server) : undefined
  const found = new Map<string, string>()
  if (!isObject(ofServer)) return found
  for (const [keyId, signature] of Object.entries(ofServer)) {
    if (typeof signature === 'string') found.set(keyId, signature)
  }
  return found
}

/** Signs a JSON object that is not an event. */
export function signJson<T extends JsonObject>(object: T, signer: Signer): T {
  return addSignature(object, signer.serverName, signer.keyId, signer.sign(signingInput(object)))
}

/** Adds this server's signature to an event, e.g. to an invite that another server made. The id does not change. */
export function signEvent(event: RoomEvent, signer: Signer): RoomEvent {
  const signature = signer.sign(eventSigningInput(event.pdu, event.rules))
  return { ...event, pdu: addSignature(event.pdu, signer.serverName, signer.keyId, signature) }
}

/**
 * The servers without whose valid signatures an event is to be dropped:
 * the sender's, unless the event is an invite by third-party identifier (another server may finish that one);
 * the event id's in room versions 1 and 2; the authorising user's for members who joined a restricted room.
 * Refuses where the authorising user is no user id.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#validating-hashes-and-signatures-on-received-events
 */
export function requiredSigners(
  event: RoomEvent,
): { readonly ok: true; readonly servers: readonly string[] } | Refusal {
  const { rules, content } = event
  const servers = new Set<string>()
  const isMember = event.type === 'm.room.member'
  const byThirdParty =
    isMember && ownValue(content, 'membership') === 'invite' && Object.hasOwn(content, 'third_party_invite')
  const sender = parseUserId(event.sender)
  if (!byThirdParty && sender !== undefined) servers.add(sender.domain)
  if (rules.signedByEventIdDomain) {
    const id = parseOpaqueEventId(event.id)
    if (id !== undefined) servers.add(id.domain)
  }
  if (rules.restrictedJoin && isMember && Object.hasOwn(content, 'join_authorised_via_users_server')) {
    const user = content['join_authorised_via_users_server']
    const authoriser = typeof user === 'string' ? parseUserId(user) : undefined
    if (authoriser === undefined) {
      return refuse('member.authoriser', 'join_authorised_via_users_server is not a user id')
    }
    servers.add(authoriser.domain)
  }
  return { ok: true, servers: [...servers] }
}
