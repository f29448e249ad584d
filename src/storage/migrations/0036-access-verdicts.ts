import type { Migration } from '../migrate.js'

export const accessVerdicts: Migration = {
  id: 36,
  name: 'access-verdicts',
  sql: `
-- Events that an access rule has rejected, with the node list by which it was judged who is external: another list may say otherwise.
-- sequence: NULL where there was no list. The rule itself stands in events.rejected.
CREATE TABLE access_verdicts (
  event_nid INTEGER NOT NULL,
  sequence INTEGER,
  PRIMARY KEY (event_nid)
) STRICT, WITHOUT ROWID;
`,
}
