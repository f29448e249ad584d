import type { Migration } from '../migrate.js'

export const transactionKeys: Migration = {
  id: 17,
  name: 'transaction-keys',
  sql: `
-- A client's transaction ids: the answer to a repeated PUT. What clients did before this step stays in client_transactions, where it is looked
-- for as well, until the job that forgets has emptied that table.
CREATE TABLE transaction_keys (
  -- See transactionKey(): short, since each send writes one; its beginning is the device's.
  key TEXT PRIMARY KEY,
  ts INTEGER NOT NULL,
  -- The event that was sent; NULL where the answer is {}.
  event_nid INTEGER
) STRICT, WITHOUT ROWID;
`,
}
