import type { Act } from '../../core/audit/acts.js'
import type { Tx } from '../../storage/tx.js'

/** Where acts are told. What is off, is told to `NO_AUDIT`. */
export interface AuditTrail {
  /**
   * Writes an act in the transaction that carries it out, so that there is neither without the other. As late in the body as possible:
   * from there on to the commit no other act can be written.
   */
  record(act: Act): Tx<void>
  /** The same in a transaction of its own: refusals, and what happens outside the database. Resolves when it is on disk. */
  note(act: Act): Promise<void>
  /**
   * For what a stranger can cause as often as they like: like acts of a minute become one entry that says how many there were, so that a flood
   * does not fill the disk. A crash loses at most what was counted since the last minute. `source`: an address; the first five are named.
   */
  count(act: Act, source?: string): void
}

/** No queries. */
// oxlint-disable-next-line require-yield
function* nothing(): Tx<void> {}

export const NO_AUDIT: AuditTrail = {
  record: nothing,
  note: () => Promise.resolve(),
  count: () => undefined,
}
