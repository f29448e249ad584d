import type { Migration } from '../migrate.js'

/**
 * What relates to what. Rows of events that are here already are written in the background after the upgrade, see
 * `services/relations/fill.ts`.
 */
export const relations: Migration = {
  id: 12,
  name: 'relations',
  sql: `
-- One row for each event in its place (with \`ord\`, accepted) whose content names a parent. The parent may be unknown.
-- The key: the children of one kind in topological order, for /relations with a type and for the latest of a thread.
CREATE TABLE relations (
  room_nid INTEGER NOT NULL,
  parent TEXT NOT NULL,
  rel_type TEXT NOT NULL,
  depth INTEGER NOT NULL,
  ord INTEGER NOT NULL,
  child INTEGER NOT NULL,
  child_id TEXT NOT NULL,
  type TEXT NOT NULL,
  sender TEXT NOT NULL,
  ts INTEGER NOT NULL,
  edit INTEGER NOT NULL,
  PRIMARY KEY (room_nid, parent, rel_type, depth, ord, child)
) STRICT, WITHOUT ROWID;
-- the row of an event that is redacted
CREATE INDEX relations_child ON relations (child);
-- /relations without a type: all children in topological order
CREATE INDEX relations_all ON relations (room_nid, parent, depth, ord);
-- the latest edit of an event by its own sender
CREATE INDEX relations_edits ON relations (room_nid, parent, type, sender, ts, child_id) WHERE edit = 1;

-- Of each thread: how many events, and the latest of them.
CREATE TABLE threads (
  room_nid INTEGER NOT NULL,
  root TEXT NOT NULL,
  n INTEGER NOT NULL,
  depth INTEGER NOT NULL,
  ord INTEGER NOT NULL,
  latest INTEGER NOT NULL,
  PRIMARY KEY (room_nid, root)
) STRICT, WITHOUT ROWID;
-- /threads: the latest first
CREATE INDEX threads_latest ON threads (room_nid, depth, ord);

-- How many of a thread's events are whose: who takes part in it, and what those count for whom one ignores.
CREATE TABLE thread_senders (
  room_nid INTEGER NOT NULL,
  root TEXT NOT NULL,
  sender TEXT NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY (room_nid, root, sender)
) STRICT, WITHOUT ROWID;

-- Rows that are written little by little for events from before an upgrade: nids in (done, last] are still to be looked at.
CREATE TABLE background_fills (
  name TEXT PRIMARY KEY,
  done INTEGER NOT NULL,
  last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO background_fills (name, done, last) SELECT 'relations', 0, COALESCE(MAX(nid), 0) FROM events;

-- /timestamp_to_event: the events of a room next to a moment
CREATE INDEX events_ts ON events (room_nid, ts);
-- where a page of history has holes
CREATE INDEX missing_events_depth ON missing_events (room_nid, depth);
`,
}
