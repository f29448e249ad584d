import { StorageError, StorageFull } from './errors.js'

/** Puts an error of better-sqlite3 into the words of the port; any other error is given back as it is. */
export function fromSqlite(error: unknown, label: string): unknown {
  const code = sqliteCode(error)
  if (code === undefined) return error
  if (isFull(code)) return new StorageFull(error)
  return new StorageError(kindOf(code), `${label}: ${(error as Error).message}`, error)
}

/** What SQLite and the system call a place in which no file can be made or written. */
const UNWRITABLE = /^(SQLITE_READONLY|SQLITE_CANTOPEN|EACCES$|EPERM$|EROFS$|ENOTDIR$|EISDIR$|EEXIST$)/

/** As `fromSqlite`, for a file that is just being opened: what is wrong with the file itself is said with its path. */
export function fromOpening(error: unknown, path: string): unknown {
  if (error instanceof StorageError) return error
  const code = sqliteCode(error) ?? (error as NodeJS.ErrnoException).code ?? ''
  if (code === 'SQLITE_NOTADB')
    return new StorageError('io', `${path} is no SQLite database: correct the path, or restore the file`, error) // prettier-ignore
  if (code.startsWith('SQLITE_CORRUPT'))
    return new StorageError('io', `the database ${path} is damaged: restore it from a backup`, error)
  if (UNWRITABLE.test(code))
    return new StorageError('io', `the database ${path} cannot be opened for writing (${code}): it, and the folder that it lies in, must be writable for the user that runs this`, error) // prettier-ignore
  if (code === 'ENOSPC' || isFull(code)) return new StorageFull(error)
  return fromSqlite(error, `open ${path}`)
}

/** After a failed sync the kernel may have dropped the pages and forgotten the failure: nothing later can be trusted. */
export function isSyncFailure(error: unknown): boolean {
  const code = sqliteCode(error)
  return code === 'SQLITE_IOERR_FSYNC' || code === 'SQLITE_IOERR_DIR_FSYNC'
}

export function isBusy(error: unknown): boolean {
  return sqliteCode(error)?.startsWith('SQLITE_BUSY') === true
}

/** By its code and not its class: the native module keeps one class, and a test runner may load this file several times. */
export function sqliteCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' && error.code.startsWith('SQLITE_') ? error.code : undefined
}

/** Growing the index of the log on a full disk is reported as an I/O error of its own kind. */
function isFull(code: string): boolean {
  return code === 'SQLITE_FULL' || code === 'SQLITE_IOERR_SHMSIZE'
}

function kindOf(code: string): 'unique' | 'constraint' | 'busy' | 'io' | 'sql' {
  if (code === 'SQLITE_CONSTRAINT_UNIQUE' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY') return 'unique'
  if (code.startsWith('SQLITE_CONSTRAINT') || code === 'SQLITE_MISMATCH') return 'constraint'
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) return 'busy'
  if (code.startsWith('SQLITE_IOERR') || code.startsWith('SQLITE_CORRUPT')) return 'io'
  if (code === 'SQLITE_NOMEM' || code === 'SQLITE_CANTOPEN' || code === 'SQLITE_READONLY') return 'io'
  return 'sql'
}
