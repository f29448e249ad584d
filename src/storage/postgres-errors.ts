import { StorageError, StorageFull, type StorageErrorCode } from './errors.js'

const CODES: ReadonlyMap<string, StorageErrorCode> = new Map([
  ['23505', 'unique'],
  ['55P03', 'busy'],
  ['57014', 'busy'],
  ['40001', 'busy'],
  ['40P01', 'busy'],
  ['22021', 'value'],
  ['22P05', 'value'],
])

/** Puts an error of `pg` into the words of the port; any other error is given back as it is. */
export function fromPostgres(error: unknown, label: string): unknown {
  if (error instanceof StorageError) return error
  if (isConnectionError(error)) return new StorageError('io', `${label}: ${(error as Error).message}`, error)
  const state = sqlState(error)
  if (state === undefined) return error
  if (state === '53100') return new StorageFull(error)
  const code = CODES.get(state) ?? kindOf(state)
  return new StorageError(code, `${label}: ${(error as Error).message}`, error)
}

/** Whether the transaction may simply be run again: it met another one, and nothing of it is left. */
export function isRetryable(error: unknown): boolean {
  const state = sqlState(error)
  return state === '40001' || state === '40P01'
}

/** Whether the connection is of no use any more. */
export function isConnectionError(error: unknown): boolean {
  const state = sqlState(error)
  if (state !== undefined) return state.startsWith('08') || state.startsWith('57P')
  const code = codeOf(error)
  if (code !== undefined) return NETWORK.has(code)
  return error instanceof Error && DRIVER_MESSAGES.some((text) => error.message.includes(text))
}

const NETWORK: ReadonlySet<string> = new Set([
  'ECONNRESET', 'ECONNREFUSED', 'ENOENT', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN',
]) // prettier-ignore

/** `pg` gives these without a code. */
const DRIVER_MESSAGES = [
  'Connection terminated',
  'Client has encountered a connection error',
  'timeout expired',
  'timeout exceeded when trying to connect',
  'Client was closed',
]

export function sqlState(error: unknown): string | undefined {
  const code = codeOf(error)
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) && !NETWORK.has(code) ? code : undefined
}

function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

function kindOf(state: string): StorageErrorCode {
  if (state.startsWith('23')) return 'constraint'
  if (state.startsWith('53') || state.startsWith('58') || state.startsWith('XX')) return 'io'
  // Types and lengths that STRICT tables refuse as constraints.
  if (state === '22P02' || state === '42804') return 'constraint'
  return 'sql'
}
