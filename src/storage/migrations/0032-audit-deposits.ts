import type { Migration } from '../migrate.js'

export const auditDeposits: Migration = {
  id: 32,
  name: 'audit-deposits',
  sql: `
-- Where the audit logs of member nodes ended when they last said so; a row is replaced only by one that goes on from it. document: the signed JSON.
CREATE TABLE audit_deposits (
  server TEXT PRIMARY KEY,
  id INTEGER NOT NULL,
  hash TEXT NOT NULL,
  document TEXT NOT NULL,
  received_ts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How far others have the audit log: readers of it by name.
CREATE TABLE audit_cursors (
  reader TEXT PRIMARY KEY,
  id INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`,
}
