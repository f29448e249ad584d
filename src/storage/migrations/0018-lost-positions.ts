import type { Migration } from '../migrate.js'

export const lostPositions: Migration = {
  id: 18,
  name: 'lost-positions',
  sql: `
-- Positions that were given out by a database that is lost: those between after_pos, where its backup was made, and resumed_pos, where the restored one
-- goes on. Without resumed_pos: this is a copy, and nothing has been given out since it was made.
CREATE TABLE lost_positions (
  after_pos INTEGER NOT NULL,
  resumed_pos INTEGER,
  ts INTEGER NOT NULL,
  PRIMARY KEY (after_pos)
) STRICT, WITHOUT ROWID;
`,
}
