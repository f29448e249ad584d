import type { Migration } from '../migrate.js'

/**
 * What `/search` finds: see `tables/search.ts`. SQLite keeps the index in a virtual table that triggers follow, and which takes out what is
 * deleted at once instead of with the next merge; PostgreSQL in an index of the same column.
 */
const TABLES = {
  sqlite: `
-- doc: the order of what is found. words: see tables/search.ts.
CREATE TABLE search_docs (
  doc INTEGER PRIMARY KEY,
  nid INTEGER NOT NULL,
  room_nid INTEGER NOT NULL,
  words TEXT NOT NULL
) STRICT;
-- Events that were written and are not yet in the index; the follower empties it.
CREATE TABLE search_queue (
  nid INTEGER PRIMARY KEY
) STRICT;
`,
  postgres: `
CREATE TABLE search_docs (
  doc BIGINT PRIMARY KEY,
  nid BIGINT NOT NULL,
  room_nid BIGINT NOT NULL,
  words TEXT COLLATE "C" NOT NULL
);
CREATE TABLE search_queue (
  nid BIGINT PRIMARY KEY
);
`,
}

const COMMON = `
-- the entry of an event that is redacted
CREATE UNIQUE INDEX search_docs_nid ON search_docs (nid);
INSERT INTO background_fills (name, done, last) SELECT 'search', 0, COALESCE(MAX(nid), 0) FROM events;
`

export const search: Migration = {
  id: 15,
  name: 'search',
  sql: {
    sqlite: `${TABLES.sqlite}${COMMON}
CREATE VIRTUAL TABLE search_words USING fts5(
  words, content='search_docs', content_rowid='doc', tokenize='ascii', detail='none', columnsize=0
);
INSERT INTO search_words (search_words, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER search_docs_added AFTER INSERT ON search_docs BEGIN
  INSERT INTO search_words (rowid, words) VALUES (new.doc, new.words);
END;
CREATE TRIGGER search_docs_gone AFTER DELETE ON search_docs BEGIN
  INSERT INTO search_words (search_words, rowid, words) VALUES ('delete', old.doc, old.words);
END;
`,
    postgres: `${TABLES.postgres}${COMMON}
CREATE INDEX search_docs_words ON search_docs USING gin (array_to_tsvector(string_to_array(words, ' ')));
`,
  },
}
