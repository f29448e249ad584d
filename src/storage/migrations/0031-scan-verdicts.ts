import type { Migration } from '../migrate.js'

export const scanVerdicts: Migration = {
  id: 31,
  name: 'scan-verdicts',
  sql: `
-- What the content scanner said of the bytes of media, by the signatures of then. Only bytes as they are stored: what was decrypted is remembered in memory alone.
CREATE TABLE scan_verdicts (
  sha256 TEXT NOT NULL,
  version TEXT NOT NULL,
  kind TEXT NOT NULL,
  detail TEXT NOT NULL,
  content_type TEXT NOT NULL,
  scanned_ts INTEGER NOT NULL,
  PRIMARY KEY (sha256)
) STRICT, WITHOUT ROWID;
-- Forgets the oldest.
CREATE INDEX scan_verdicts_by_age ON scan_verdicts (scanned_ts);
`,
}
