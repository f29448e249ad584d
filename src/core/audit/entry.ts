import { createHash } from 'node:crypto'
import { canonicalJson } from '../json/canonical.js'
import type { Json } from '../json/value.js'
import type { Act, ActDetail } from './acts.js'

/** One line of the audit log as it is stored and exported. */
export interface ChainedEntry {
  /** 1, 2, 3, … without a gap. */
  readonly id: number
  /** Canonical JSON of the act, its time and its number. */
  readonly entry: string
  /** Of the chain up to and with this entry; 64 hexadecimal digits. */
  readonly hash: string
}

/** What stands before the first entry. */
export const GENESIS = '0'.repeat(64)

const MAX_TEXT = 512
const MAX_DETAILS = 16
const MAX_NAME = 64

/** Bounded, and of characters that every database and every reader takes. */
const text = (value: string, max = MAX_TEXT): string => {
  const short = value.length > max ? `${value.slice(0, max - 1)}…` : value
  return short.replaceAll(/\p{Surrogate}|\0/gu, '\ufffd')
}

const detail = (value: ActDetail): Json => {
  if (typeof value === 'string') return text(value)
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : text(String(value))
  return value
}

/**
 * The text of an entry: canonical JSON with `id`, `ts` (milliseconds since 1970), `act`, `by`, `outcome` and what else there is of `on`,
 * `room`, `reason`, `request`, `details`. Texts are cut at 512 characters, details after the sixteenth.
 */
export function entryText(id: number, ts: number, act: Act): string {
  const { by } = act
  const who: [string, Json | undefined][] = [
    ['kind', by.kind],
    ['id', 'id' in by && by.id !== undefined ? text(by.id) : undefined],
    ['device', 'device' in by && by.device !== undefined ? text(by.device) : undefined],
    ['way', 'way' in by ? by.way : undefined],
  ]
  const details = Object.entries(act.details ?? {})
    .filter((pair): pair is [string, ActDetail] => pair[1] !== undefined)
    .slice(0, MAX_DETAILS)
    .map(([name, value]): [string, Json] => [text(name, MAX_NAME), detail(value)])
  const members: [string, Json | undefined][] = [
    ['id', id],
    ['ts', Math.floor(ts)],
    ['act', act.act],
    ['by', present(who)],
    ['on', act.on === undefined ? undefined : text(act.on)],
    ['room', act.room === undefined ? undefined : text(act.room)],
    ['outcome', text(act.outcome ?? 'done', MAX_NAME)],
    ['reason', act.reason === undefined ? undefined : text(act.reason)],
    ['request', act.requestId === undefined ? undefined : text(act.requestId, MAX_NAME)],
    ['details', details.length === 0 ? undefined : present(details)],
  ]
  return canonicalJson(present(members))
}

/** `fromEntries` defines members, so that no name is special. */
const present = (members: readonly (readonly [string, Json | undefined])[]): Json =>
  Object.fromEntries(members.filter(([, value]) => value !== undefined)) as Json

const sha256 = (value: string): string => createHash('sha256').update(value, 'utf8').digest('hex')

/** What a server that keeps the head of the chain is shown of an entry: nothing can be read from it. */
export const entryDigest = (entry: string): string => sha256(entry)

/**
 * The hash of the chain with one more entry: SHA-256 of canonical JSON with the entry's number, its digest and the hash before it.
 * Who knows a head and the digests that follow can follow the chain without reading it.
 */
export const nextHash = (id: number, before: string, digest: string): string =>
  sha256(canonicalJson({ digest, id, prev: before }))

/** An entry and the hash of the chain that ends with it. */
export function chainEntry(id: number, before: string, ts: number, act: Act): ChainedEntry {
  const entry = entryText(id, ts, act)
  return { id, entry, hash: nextHash(id, before, entryDigest(entry)) }
}
