import type { Migration } from '../migrate.js'

/**
 * PostgreSQL keeps each entry's words as it searches them. Made anew for every row that a search goes through, they cost it tens of times
 * what the comparison does, which its planner does not know. SQLite's index needs nothing.
 */
export const searchVectors: Migration = {
  id: 43,
  name: 'search-vectors',
  sql: {
    sqlite: '-- nothing to do',
    postgres: `
DROP INDEX search_docs_words;
ALTER TABLE search_docs
  ADD COLUMN vector tsvector GENERATED ALWAYS AS (array_to_tsvector(string_to_array(words, ' '))) STORED;
-- what has the words
CREATE INDEX search_docs_words ON search_docs USING gin (vector);
`,
  },
}
