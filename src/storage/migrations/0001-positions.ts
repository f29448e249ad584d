import type { Migration } from '../migrate.js'

export const positions: Migration = {
  id: 1,
  name: 'positions',
  sql: `
    -- The one counter of all durable streams; a single row, so that its lock puts transactions in order.
    CREATE TABLE stream_position (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      pos INTEGER NOT NULL
    ) STRICT;
    INSERT INTO stream_position (id, pos) VALUES (1, 0);
  `,
}
