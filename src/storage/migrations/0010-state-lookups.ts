import type { Migration } from '../migrate.js'

/** Indexes over rooms and over the changes of their state. */
export const stateLookups: Migration = {
  id: 10,
  name: 'state-lookups',
  sql: `
-- how one membership came to be, and what it was at some position
CREATE INDEX state_deltas_key ON state_deltas (room_nid, type, state_key, pos);
-- the public list
CREATE INDEX rooms_published ON rooms (published, nid);
`,
}
