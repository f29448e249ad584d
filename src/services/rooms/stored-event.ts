import { reviveEvent } from '../../core/event/revive.js'
import type { RoomEvent } from '../../core/event/types.js'
import type { RoomVersionRules } from '../../core/room-version/rules.js'
import type { EventRow } from '../../storage/tables/events.js'

/** An event with what this server has found about it. */
export interface StoredEvent {
  readonly nid: number
  readonly roomNid: number
  readonly event: RoomEvent
  /** Position in the live stream; undefined for what never was live. */
  readonly pos: number | undefined
  readonly ord: number | undefined
  readonly outlier: boolean
  /** The rule that refused it. */
  readonly rejected: string | undefined
  readonly softFailed: boolean
  /** Roots of the state trie before and after it; undefined for outliers. */
  readonly stateBefore: string | undefined
  readonly stateAfter: string | undefined
  readonly authNids: readonly number[]
  /** The state event that it replaced. */
  readonly replaces: number | undefined
  readonly redactedBy: number | undefined
  /** `[device id, transaction id]` of the client request that made it; the id is that of the delay where it was sent later. */
  readonly txn: TxnMark | undefined
}

export type TxnMark = readonly [string, string] | readonly [string, string, 'delayed']

export const txnMark = (txn: ClientTxn | undefined): TxnMark | undefined => {
  if (txn === undefined) return undefined
  return txn.isDelayed === true ? [txn.deviceId, txn.txnId, 'delayed'] : [txn.deviceId, txn.txnId]
}

/** The client's transaction that makes an event. */
export interface ClientTxn {
  /** The name under which it is stored; see `transactionKey`. */
  readonly key: string
  readonly deviceId: string
  readonly txnId: string
  /** A delayed event (MSC4140), of which this is the id. */
  readonly isDelayed?: true
}

export function fromRow(row: EventRow, roomId: string, rules: RoomVersionRules): StoredEvent {
  return {
    nid: row.nid,
    roomNid: row.room_nid,
    event: reviveEvent(row.json, row.event_id, roomId, rules),
    pos: row.pos ?? undefined,
    ord: row.ord ?? undefined,
    outlier: row.outlier === 1,
    rejected: row.rejected ?? undefined,
    softFailed: row.soft_failed === 1,
    stateBefore: row.state_before ?? undefined,
    stateAfter: row.state_after ?? undefined,
    authNids: JSON.parse(row.auth) as number[],
    replaces: row.replaces ?? undefined,
    redactedBy: row.redacted_by ?? undefined,
    txn: row.txn === null ? undefined : (JSON.parse(row.txn) as TxnMark),
  }
}

export function toRow(stored: StoredEvent, json: string): EventRow {
  return {
    nid: stored.nid,
    event_id: stored.event.id,
    room_nid: stored.roomNid,
    type: stored.event.type,
    state_key: stored.event.stateKey ?? null,
    sender: stored.event.sender,
    depth: stored.event.depth,
    ts: stored.event.originServerTs,
    pos: stored.pos ?? null,
    ord: stored.ord ?? null,
    outlier: stored.outlier ? 1 : 0,
    rejected: stored.rejected ?? null,
    soft_failed: stored.softFailed ? 1 : 0,
    state_before: stored.stateBefore ?? null,
    state_after: stored.stateAfter ?? null,
    auth: JSON.stringify(stored.authNids),
    replaces: stored.replaces ?? null,
    redacted_by: stored.redactedBy ?? null,
    txn: stored.txn === undefined ? null : JSON.stringify(stored.txn),
    json,
  }
}
