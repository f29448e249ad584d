import { many, one, type Tx } from '../tx.js'

/** Post: it is noted by which node list the events were rejected; what was noted before stays. Pre: they are in the database. */
export function* noteAccessVerdicts(eventNids: readonly number[]): Tx<void> {
  if (eventNids.length === 0) return
  const list = yield* one<{ sequence: number }>(`SELECT sequence FROM node_lists WHERE slot = 'taken'`)
  yield* many(
    'INSERT INTO access_verdicts (event_nid, sequence) VALUES (?, ?) ON CONFLICT (event_nid) DO NOTHING',
    eventNids.map((nid) => [nid, list?.sequence ?? null]),
  )
}

/** The number of the node list by which an access rule has rejected an event, null where there was none; undefined where none has. */
export function* accessVerdictOf(
  eventNid: number,
): Tx<{ readonly rule: string; readonly sequence: number | null } | undefined> {
  return yield* one<{ rule: string; sequence: number | null }>(
    `SELECT e.rejected AS rule, v.sequence FROM access_verdicts v JOIN events e ON e.nid = v.event_nid
     WHERE v.event_nid = ? AND e.rejected IS NOT NULL`,
    eventNid,
  )
}
