import { positions } from './0001-positions.js'
import type { Migration } from '../migrate.js'

/** All steps of the schema, by id. One line each. */
export const migrations: readonly Migration[] = [
  positions, //
]
