import { InteractiveAuthRequired } from '../core/errors-uia.js'
import { MatrixError } from '../core/errors.js'

/** The usual status of each errcode. SPEC: https://spec.matrix.org/v1.19/client-server-api/#standard-error-response */
const STATUS: ReadonlyMap<string, number> = new Map([
  ['M_FORBIDDEN', 403],
  ['M_UNKNOWN_TOKEN', 401],
  ['M_MISSING_TOKEN', 401],
  ['M_UNAUTHORIZED', 401],
  ['M_USER_LOCKED', 401],
  ['M_USER_SUSPENDED', 403],
  ['M_USER_DEACTIVATED', 403],
  ['M_GUEST_ACCESS_FORBIDDEN', 403],
  ['M_EXCLUSIVE', 400],
  ['M_NOT_FOUND', 404],
  ['M_UNRECOGNIZED', 404],
  ['M_LIMIT_EXCEEDED', 429],
  ['M_TOO_LARGE', 413],
  ['M_THREEPID_DENIED', 403],
  ['M_CANNOT_OVERWRITE_MEDIA', 409],
  ['M_NOT_YET_UPLOADED', 504],
  ['M_WRONG_ROOM_KEYS_VERSION', 403],
  ['M_RESOURCE_LIMIT_EXCEEDED', 403],
  ['M_INVITE_BLOCKED', 403],
  ['M_CANNOT_LEAVE_SERVER_NOTICE_ROOM', 403],
  ['M_UNABLE_TO_AUTHORISE_JOIN', 400],
  ['M_UNABLE_TO_GRANT_JOIN', 400],
  ['M_UNABLE_DUE_TO_PARTIAL_STATE', 404],
  ['M_UNKNOWN_POS', 400],
])

/** Milliseconds; a store that is too busy, or a process that starts again, is back about then. */
const RETRY_AFTER = 2_000

/**
 * What went wrong in the store, by its `code` (`http` knows no class of the storage layer): that a request was not carried
 * out for want of the server, and may be repeated as it is. A client's transaction id makes the repetition safe.
 */
const STORE_FAULTS: ReadonlyMap<string, { readonly status: 503 | 507; readonly message: string }> = new Map([
  [
    'full',
    {
      status: 507,
      message:
        'The disk of this server is full: nothing was stored. It works again once its administrator has made room.',
    },
  ],
  ['overloaded', { status: 503, message: 'The server has too much to write; try again soon' }],
  [
    'io',
    {
      status: 503,
      message:
        'The disk or database of this server fails: nothing was stored. Its administrator must look at it.',
    },
  ],
  ['aborted', { status: 503, message: 'The request was not carried out; try again soon' }],
  ['busy', { status: 503, message: 'The database is held by something else; try again soon' }],
  ['faulted', { status: 503, message: 'The server cannot keep what it is given, and starts again' }],
  ['closed', { status: 503, message: 'The server is stopping' }],
  [
    'unknown-outcome',
    {
      status: 503,
      message: 'The connection to the database broke: the request may have been carried out or not',
    },
  ],
])

/**
 * What a client sent has a character that no database keeps, and nobody before the store had better words for it: the
 * client's fault to mend. The store is the one place that sees every text, so that it answers for all of them. The log is warned now and then: an
 * answer in the words of the request would be kinder.
 */
const UNSTORABLE: ErrorAnswer = {
  status: 400,
  body: {
    errcode: 'M_INVALID_PARAM',
    error: 'The request holds a text with a character that cannot be stored',
  },
  headers: {},
  unexpected: false,
  fault: 'value',
}

function storeFault(error: unknown): ErrorAnswer | undefined {
  if (!(error instanceof Error) || !error.name.startsWith('Storage') || !('code' in error)) return undefined
  if (error.code === 'value') return UNSTORABLE
  const fault = STORE_FAULTS.get(String(error.code))
  if (fault === undefined) return undefined
  return {
    status: fault.status,
    body: { errcode: 'M_UNKNOWN', error: fault.message, retry_after_ms: RETRY_AFTER },
    headers: { 'Retry-After': String(RETRY_AFTER / 1000) },
    // A full or broken disk is for the log; that it is busy, and that it stops, are not.
    unexpected: ['full', 'io', 'faulted', 'unknown-outcome'].includes(String(error.code)),
    fault: String(error.code),
  }
}

export interface ErrorAnswer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>
  /** Not one of ours: to be logged with its stack. */
  readonly unexpected: boolean
  /** What every request meets as long as it lasts, to be logged now and then. */
  readonly fault?: string
}

export function errorAnswer(error: unknown): ErrorAnswer {
  if (error instanceof InteractiveAuthRequired) {
    return { status: 401, body: error.body, headers: {}, unexpected: false }
  }
  if (error instanceof MatrixError) {
    const status = error.status ?? STATUS.get(error.errcode) ?? (error.errcode === 'M_UNKNOWN' ? 500 : 400)
    const retry = error.extra['retry_after_ms']
    return {
      status,
      body: { errcode: error.errcode, error: error.message, ...error.extra },
      headers: typeof retry === 'number' ? { 'Retry-After': String(Math.ceil(retry / 1000)) } : {},
      // That another server fails or is slow is nothing to mend here.
      unexpected: status >= 500 && status !== 502 && status !== 504,
      ...(status === 507 ? { fault: 'full' } : {}),
    }
  }
  return (
    storeFault(error) ?? {
      status: 500,
      body: { errcode: 'M_UNKNOWN', error: 'Internal server error' },
      headers: {},
      unexpected: true,
    }
  )
}
