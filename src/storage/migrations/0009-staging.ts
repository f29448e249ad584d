import type { Migration } from '../migrate.js'

/** What the drain of a room knows about a staged PDU. */
export const staging: Migration = {
  id: 9,
  name: 'staging',
  sql: `
-- 1: its signatures are checked; 0: a key was not known when it came.
ALTER TABLE staged_pdus ADD COLUMN verified INTEGER NOT NULL DEFAULT 0;
-- Failed attempts to apply it, and when the next is due, in milliseconds.
ALTER TABLE staged_pdus ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
ALTER TABLE staged_pdus ADD COLUMN retry_at INTEGER NOT NULL DEFAULT 0;
`,
}
