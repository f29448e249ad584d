import { positions } from './0001-positions.js'
import { accounts } from './0003-accounts.js'
import { media } from './0004-media.js'
import { serverKeys } from './0005-server-keys.js'
import type { Migration } from '../migrate.js'

/** All steps of the schema, by id. One line each. */
// prettier-ignore
export const migrations: readonly Migration[] = [
  positions,
  accounts,
  media,
  serverKeys,
]
