import type { Migration } from '../migrate.js'

/** The list of the member nodes that this node goes by, and how far it has come. */
export const nodeList: Migration = {
  id: 26,
  name: 'node-list',
  sql: `
CREATE TABLE node_lists (
  -- 'taken': there is one list at a time
  slot TEXT PRIMARY KEY,
  circle TEXT NOT NULL,
  -- the highest that was seen: none older is taken, whatever the source says
  sequence INTEGER NOT NULL,
  digest TEXT NOT NULL,
  -- the signers of the configuration at the time: canonical JSON
  configured TEXT NOT NULL,
  -- the list as it was signed: canonical JSON
  document TEXT NOT NULL,
  taken INTEGER NOT NULL,
  -- when the list had run out for so long that new peers were shut out; node_list_known has the others
  frozen INTEGER
) STRICT, WITHOUT ROWID;

-- Members that shared a room with this node when its list froze: they go on.
CREATE TABLE node_list_known (
  server_name TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
`,
}
