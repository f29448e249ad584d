import type { Migration } from '../migrate.js'

/** Where the recipient of a message ends such mail, for the button that mail programs show. */
export const mailUnsubscribe: Migration = {
  id: 22,
  name: 'mail-unsubscribe',
  sql: `
ALTER TABLE mail_queue ADD COLUMN unsubscribe_url TEXT;
`,
}
