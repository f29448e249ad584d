import type { Migration } from '../migrate.js'

/** Which identity servers publish an address of a user, so that it can be withdrawn there. */
export const threepidBindings: Migration = {
  id: 21,
  name: 'threepid-bindings',
  sql: `
CREATE TABLE threepid_bindings (
  user_id TEXT NOT NULL,
  medium TEXT NOT NULL,
  -- canonical
  address TEXT NOT NULL,
  id_server TEXT NOT NULL,
  PRIMARY KEY (user_id, medium, address, id_server)
) STRICT, WITHOUT ROWID;
`,
}
