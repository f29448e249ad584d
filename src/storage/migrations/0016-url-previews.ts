import type { Migration } from '../migrate.js'

export const urlPreviews: Migration = {
  id: 16,
  name: 'url-previews',
  sql: `
-- What pages say of themselves, as it was at some times. The job of previews forgets them.
CREATE TABLE url_previews (
  -- SHA-256 of the address, hexadecimal: addresses are long, and may say more than the page.
  url_hash TEXT NOT NULL,
  fetched_ts INTEGER NOT NULL,
  expires_ts INTEGER NOT NULL,
  -- JSON, as clients get it.
  preview TEXT NOT NULL,
  -- The picture, stored for it as a medium of this server.
  media_id TEXT,
  PRIMARY KEY (url_hash, fetched_ts)
) STRICT, WITHOUT ROWID;
-- forgetting old ones
CREATE INDEX url_previews_fetched ON url_previews (fetched_ts);
`,
}
