import type { Migration } from '../migrate.js'

export const dehydratedDevices: Migration = {
  id: 25,
  name: 'dehydrated-devices',
  sql: `
-- A device of a user that nobody runs, kept here under a key of theirs until one takes it over. It stands in devices, too.
CREATE TABLE dehydrated_devices (
  user_id TEXT PRIMARY KEY,
  device_id TEXT NOT NULL,
  -- JSON, encrypted by the client
  data TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`,
}
