/**
 * The signing keys of other servers, and the documents in which they last published them.
 * A key is never deleted while its server is known: old events are verified with it.
 */
const sql = `
CREATE TABLE server_keys (
  server_name TEXT NOT NULL,
  -- ed25519:version
  key_id TEXT NOT NULL,
  -- 32 bytes as unpadded standard base64.
  public_key TEXT NOT NULL,
  -- Milliseconds; at most 7 days after the document was fetched. Of no meaning for an expired key.
  valid_until_ts INTEGER NOT NULL,
  -- When its owner stopped using it; NULL while in use.
  expired_ts INTEGER,
  PRIMARY KEY (server_name, key_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE server_key_documents (
  server_name TEXT NOT NULL PRIMARY KEY,
  -- Canonical JSON with the server's own signatures: handed on, signed by us too, to servers that ask for it.
  document TEXT NOT NULL,
  valid_until_ts INTEGER NOT NULL,
  fetched_ts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`

export const serverKeys = { id: 5, name: 'server-keys', sql } as const
