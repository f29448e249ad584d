import { createHash } from 'node:crypto'
import { readPdu } from '../../../src/core/event/format.js'
import { canonicalMode, contentHash, referenceHash, verifyContentHash } from '../../../src/core/event/hash.js'
import { redact } from '../../../src/core/event/redact.js'
import type { Pdu, Refusal } from '../../../src/core/event/types.js'
import { checkFieldBytes } from '../../../src/core/event/size.js'
import { canonicalJson } from '../../../src/core/json/canonical.js'
import { parseJson } from '../../../src/core/json/parse.js'
import type { Json } from '../../../src/core/json/value.js'
import type { RoomVersionRules } from '../../../src/core/room-version/rules.js'
import { encodeJson } from './encode-json.js'
import type { StateIds } from './model.js'
import type { TheirEvent, TheirLoose, TheirRoom } from './oracle-client.js'
import type { Run } from './run.js'

/** The first thing about a room, or about a PDU alone, on which the two sides disagree. */
export interface Difference {
  readonly about: 'id' | 'hash' | 'reference' | 'redacted' | 'hash-verdict' | 'before' | 'verdict' | 'leaves' | 'format' | 'crash'
  readonly rules: RoomVersionRules
  /** The place of the event in the room, or of the PDU among the loose ones. */
  readonly place: number
  readonly pdu: Json
  readonly ours: string
  readonly theirs: string
  /** Our rule that refuses, where one does. */
  readonly rule: string
} // prettier-ignore

type Found = Omit<Difference, 'rules' | 'place' | 'pdu'>

/** Compares what both sides say of a whole room; answers with the first difference. */
export function compareRoom(run: Run, theirs: TheirRoom, rules: RoomVersionRules): Difference | undefined {
  for (const [place, our] of run.model.judged.entries()) {
    const at = { rules, place, pdu: our.event.pdu }
    const their = theirs.events[place]
    if (their === undefined) {
      return { ...at, about: 'crash', ours: our.ok ? 'ok' : our.rule, theirs: theirs.crash ?? '', rule: our.rule }
    }
    const byFacts = compareFacts(our.event.pdu, their, rules)
    if (byFacts !== undefined) return { ...at, ...byFacts }
    if (run.model.known[place]!.outlier) continue
    const before = places(run, our.before)
    if (before !== their.before.join()) {
      return { ...at, about: 'before', ours: before, theirs: their.before.join(), rule: our.rule }
    }
    if (our.ok !== their.ok) {
      const ours = our.ok ? 'ok' : `${our.stage}: ${our.rule}`
      const theirVerdict = their.ok ? 'ok' : `${their.stage}: ${their.why}`
      return { ...at, about: 'verdict', ours, theirs: theirVerdict, rule: our.rule }
    }
  }
  const last = { rules, place: run.pdus.length - 1, pdu: run.pdus.at(-1)!, rule: '' }
  if (theirs.crash !== undefined) return { ...last, about: 'crash', ours: '', theirs: theirs.crash }
  const leaves = places(run, run.model.leaves())
  if (leaves === theirs.leaves.join()) return undefined
  return { ...last, about: 'leaves', ours: leaves, theirs: theirs.leaves.join() }
} // prettier-ignore

/** Compares what both sides say of a PDU alone. */
export function compareLoose(
  place: number,
  pdu: Json,
  their: TheirLoose,
  rules: RoomVersionRules,
): Difference | undefined {
  // Our side reads the same bytes that the other one does.
  const parsed = parseJson(encodeJson(pdu))
  const read = parsed.ok ? readPdu(parsed.value, rules) : { ok: false as const, rule: 'json', reason: parsed.reason }
  const at = { rules, place, pdu }
  // Both sides have a third answer: rejected, but kept, for fields that old servers counted in code points.
  const ours = !read.ok ? 'dropped' : checkFieldBytes(read.event).ok ? 'ok' : 'kept as rejected'
  const theirVerdict = their.ok ? 'ok' : their.lenient === true ? 'kept as rejected' : 'dropped'
  if (ours !== theirVerdict) {
    const [rule, why] = read.ok ? ['', ''] : [read.rule, `: ${(read as Refusal).reason}`]
    return { ...at, about: 'format', ours: `${ours}${why}`, theirs: their.ok ? 'ok' : `${theirVerdict}: ${their.why}`, rule }
  }
  if (!read.ok || !their.ok) return undefined
  const found = compareFacts(read.event.pdu, their as TheirEvent, rules)
  return found === undefined ? undefined : { ...at, ...found }
} // prettier-ignore

function compareFacts(pdu: Pdu, their: TheirEvent, rules: RoomVersionRules): Found | undefined {
  const read = readPdu(pdu, rules)
  if (!read.ok) return { about: 'format', ours: read.reason, theirs: 'ok', rule: read.rule }
  // The other side writes reference hashes in standard base64 for all versions.
  const reference = referenceHash(pdu, rules).replaceAll('-', '+').replaceAll('_', '/')
  const redacted = sha256(canonicalJson(redact(pdu, rules), canonicalMode(rules)))
  for (const [about, ours, theirs] of [
    ['redacted', redacted, their.redacted],
    ['reference', reference, their.ref],
    ['id', read.event.id, their.id],
    ['hash', contentHash(pdu, rules), their.hash],
    ['hash-verdict', String(verifyContentHash(pdu, rules)), their.hashOk?.toString()],
  ] as const) {
    if (theirs === undefined) continue
    if (ours !== theirs) return { about, ours, theirs, rule: '' }
  }
  return undefined
}

const sha256 = (text: string): string =>
  createHash('sha256').update(text, 'utf8').digest('base64').replace(/=+$/, '')

/** A state as the sorted places of its events. */
const places = (run: Run, state: StateIds): string =>
  [...state.values()]
    .map((id) => run.model.placeOf(id)!)
    .toSorted((x, y) => x - y)
    .join()
