import type { Json, JsonObject } from '../json/value.js'
import type { RoomVersionRules } from '../room-version/rules.js'

/** An event as it travels between servers, exactly as received (unknown keys included) less `unsigned`. */
export interface Pdu extends JsonObject {
  readonly type: string
  readonly sender: string
  readonly content: JsonObject
  readonly depth: Json & number
  readonly origin_server_ts: Json & number
  readonly hashes: JsonObject
  readonly signatures: JsonObject
}

/**
 * A PDU whose format has been checked, with its identity and references in one shape for all room versions.
 * Immutable; verdicts about it are kept elsewhere.
 */
export interface RoomEvent {
  readonly id: string
  readonly roomId: string
  readonly rules: RoomVersionRules
  readonly type: string
  readonly sender: string
  /** Undefined for message events; the empty string is a state key. */
  readonly stateKey: string | undefined
  readonly content: JsonObject
  /** This and the next: the nearest safe integer. Room versions 1–5 allow others, which `pdu` has as they came. */
  readonly depth: number
  readonly originServerTs: number
  readonly prevEvents: readonly string[]
  readonly authEvents: readonly string[]
  /** The event that this one redacts, wherever its room version keeps that. */
  readonly redacts: string | undefined
  readonly pdu: Pdu
}

/** One refusal of the specification's rules. Core never throws for bad input. */
export interface Refusal {
  readonly ok: false
  /** The rule that refuses, e.g. `member.join.banned`. */
  readonly rule: string
  readonly reason: string
}
export type Verdict = { readonly ok: true } | Refusal
export const ALLOW: Verdict = { ok: true }
export const refuse = (rule: string, reason: string): Refusal => ({ ok: false, rule, reason })
