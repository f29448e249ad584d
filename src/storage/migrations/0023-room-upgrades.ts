import type { Migration } from '../migrate.js'

/** Upgrades of rooms that are under way: what the next start goes on with. */
export const roomUpgrades: Migration = {
  id: 23,
  name: 'room-upgrades',
  sql: `
CREATE TABLE room_upgrades (
  -- the room that is replaced
  room_id TEXT PRIMARY KEY,
  successor TEXT NOT NULL,
  upgrader TEXT NOT NULL,
  -- those who are creators besides: JSON
  creators TEXT NOT NULL,
  -- the event that ends the old room, signed, which the new one may name: JSON
  tombstone TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`,
}
