import { MatrixError } from '../../../core/errors.js'
import { StorageError } from '../../../storage/errors.js'

const TROUBLE: ReadonlySet<StorageError['code']> = new Set([
  'full', 'io', 'faulted', 'aborted', 'unknown-outcome', 'busy', 'overloaded', 'closed',
]) // prettier-ignore

/**
 * Whether a failure says nothing about what was to be stored: the disk is full, or too much waits. Nothing that was
 * acknowledged may be given up for it, however often it happens.
 */
export function isStoreTrouble(error: unknown): boolean {
  if (error instanceof MatrixError) return error.errcode === 'M_LIMIT_EXCEEDED'
  return error instanceof StorageError && TROUBLE.has(error.code)
}
