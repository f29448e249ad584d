import { tryCanonicalJson } from '../json/canonical.js'
import { isObject, ownValue, type Json, type JsonObject } from '../json/value.js'
import { canonicalMode, without } from '../event/hash.js'
import { ALLOW, refuse, type RoomEvent, type Verdict } from '../event/types.js'
import { membershipOf, type StateLookup, type VerifySignature } from './state-lookup.js'

/**
 * NOTSPEC: at most this many pairs of key and signature are tried, so that an event full of them does not stop the
 * server for a minute. Honest invites have one or two of each.
 */
const MAX_TRIALS = 64

/**
 * The rules for an invite that an identity server vouches for: someone invited an e-mail address, and its owner turned
 * out to be the target user.
 * SPEC: https://spec.matrix.org/v1.19/rooms/v12/#authorisation-rules (rule 5.4.1)
 */
export function checkThirdPartyInvite(
  event: RoomEvent,
  state: StateLookup,
  verifySignature: VerifySignature,
): Verdict {
  if (membershipOf(state, event.stateKey ?? '') === 'ban') {
    return refuse('member.invite.3pid.banned', 'the target user is banned')
  }
  const invite = ownValue(event.content, 'third_party_invite')
  const signed = isObject(invite) ? ownValue(invite, 'signed') : undefined
  if (!isObject(signed)) return refuse('member.invite.3pid.signed', 'nothing is signed')
  const token = ownValue(signed, 'token')
  if (typeof token !== 'string' || !Object.hasOwn(signed, 'mxid')) {
    return refuse('member.invite.3pid.fields', 'mxid or token is missing')
  }
  if (signed['mxid'] !== event.stateKey) return refuse('member.invite.3pid.mxid', 'signed for another user')
  const offer = state('m.room.third_party_invite', token)
  if (offer === undefined) return refuse('member.invite.3pid.token', 'no such third-party invite in the room')
  if (offer.sender !== event.sender) return refuse('member.invite.3pid.sender', 'invited by another user')
  return isSignedByOne(signed, publicKeys(offer.content), event, verifySignature)
    ? ALLOW
    : refuse('member.invite.3pid.signature', 'no signature matches a public key of the third-party invite')
}

/** The key in `public_key` and those in the list `public_keys`. */
function publicKeys(content: JsonObject): readonly string[] {
  const list = ownValue(content, 'public_keys')
  const entries: readonly Json[] = Array.isArray(list) ? list : []
  const keys = [
    ownValue(content, 'public_key'),
    ...entries.map((entry) => (isObject(entry) ? ownValue(entry, 'public_key') : undefined)),
  ]
  return keys.filter((key) => typeof key === 'string')
}

function isSignedByOne(
  signed: JsonObject,
  keys: readonly string[],
  event: RoomEvent,
  verifySignature: VerifySignature,
): boolean {
  const body = tryCanonicalJson(without(signed, ['signatures', 'unsigned']), canonicalMode(event.rules))
  const all = ownValue(signed, 'signatures')
  if (!body.ok || !isObject(all)) return false
  const message = new TextEncoder().encode(body.text)
  let trials = 0
  for (const ofServer of Object.values(all)) {
    if (!isObject(ofServer)) continue
    for (const [keyId, signature] of Object.entries(ofServer)) {
      if (typeof signature !== 'string' || !keyId.startsWith('ed25519:')) continue
      for (const key of keys) {
        if (++trials > MAX_TRIALS) return false
        if (verifySignature(key, message, signature)) return true
      }
    }
  }
  return false
}
