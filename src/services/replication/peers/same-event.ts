import { canonicalMode, without } from '../../../core/event/hash.js'
import { readPdu } from '../../../core/event/format.js'
import { addSignature, signaturesOf } from '../../../core/event/sign.js'
import type { RoomEvent } from '../../../core/event/types.js'
import { tryCanonicalJson } from '../../../core/json/canonical.js'
import type { Json } from '../../../core/json/value.js'
import { badAnswer } from './peer-failure.js'

/** Signatures of one server that are kept: others would be junk. */
const MAX_SIGNATURES = 4

/**
 * Our event with the signatures that another server has added to it. What it gives back must be the same event in every
 * other respect; nothing else of it is used. The signatures are not yet verified. Throws `FederationError` (`bad-response`).
 */
export function withSignaturesOf(event: RoomEvent, server: string, json: Json): RoomEvent {
  const read = readPdu(json, event.rules, { roomId: event.roomId })
  if (!read.ok) throw badAnswer('the signed event is malformed')
  const theirs = bare(read.event)
  if (theirs === undefined || theirs !== bare(event))
    throw badAnswer('the signed event is another one than ours')
  let { pdu } = event
  for (const [keyId, signature] of [...signaturesOf(read.event.pdu, server)].slice(0, MAX_SIGNATURES)) {
    pdu = addSignature(pdu, server, keyId, signature)
  }
  return { ...event, pdu }
}

function bare(event: RoomEvent): string | undefined {
  const text = tryCanonicalJson(without(event.pdu, ['signatures']), canonicalMode(event.rules))
  return text.ok ? text.text : undefined
}
