/**
 * What went wrong in the store, the same for both drivers.
 * - `full`: no space on the disk; reads go on, and writes work again when there is space.
 * - `io`: the disk or the connection failed. `faulted`: a sync failed; the process must be started again.
 * - `unique`, `constraint`: the rows break a rule of the schema.
 * - `value`: a parameter cannot be stored. `misuse`: the calling code is wrong.
 * - `aborted`: the transaction was rolled back because of another body in its group.
 * - `unknown-outcome`: the connection broke while committing. `busy`: another process kept a lock for too long.
 * - `overloaded`: too many bodies wait. `closed`: the store is closed. `locked`: another process owns the database.
 * - `schema`: the database and this program do not fit together. `sql`: any other refusal by the database.
 */
export type StorageErrorCode =
  | 'full'
  | 'io'
  | 'faulted'
  | 'unique'
  | 'constraint'
  | 'value'
  | 'misuse'
  | 'aborted'
  | 'unknown-outcome'
  | 'busy'
  | 'overloaded'
  | 'closed'
  | 'locked'
  | 'schema'
  | 'sql'

export class StorageError extends Error {
  readonly code: StorageErrorCode

  constructor(code: StorageErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'StorageError'
    this.code = code
  }
}

/** The disk is full: the write was not made, and may be tried again later. */
export class StorageFull extends StorageError {
  constructor(cause?: unknown) {
    super('full', 'the disk that holds the database is full', cause)
    this.name = 'StorageFull'
  }
}
