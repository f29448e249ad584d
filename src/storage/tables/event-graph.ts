import { all, type Tx } from '../tx.js'

/** Reads of the event graph that leave the events themselves out, or give their text as it stands. */

/** Nids of the auth events of some events, a JSON array each. */
export function* authEdgesOf(
  nids: readonly number[],
): Tx<readonly { readonly nid: number; readonly auth: string }[]> {
  return yield* all('SELECT nid, auth FROM events WHERE nid IN (??)', nids)
}

/** The events as they travel between servers. */
export function* eventTexts(
  nids: readonly number[],
): Tx<readonly { readonly nid: number; readonly json: string }[]> {
  return yield* all('SELECT nid, json FROM events WHERE nid IN (??)', nids)
}

export function* eventIdsOf(
  nids: readonly number[],
): Tx<readonly { readonly nid: number; readonly event_id: string }[]> {
  return yield* all('SELECT nid, event_id FROM events WHERE nid IN (??)', nids)
}

/** Of these ids, those of events that are here. */
export function* nidsOfEvents(ids: readonly string[]): Tx<
  readonly {
    readonly nid: number
    readonly event_id: string
    readonly room_nid: number
    readonly rejected: string | null
  }[]
> {
  return yield* all('SELECT nid, event_id, room_nid, rejected FROM events WHERE event_id IN (??)', ids)
}
