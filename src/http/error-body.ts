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
  ['M_UNKNOWN_POS', 400],
])

export interface ErrorAnswer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>
  /** Not one of ours: to be logged with its stack. */
  readonly unexpected: boolean
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
      unexpected: status >= 500,
    }
  }
  return {
    status: 500,
    body: { errcode: 'M_UNKNOWN', error: 'Internal server error' },
    headers: {},
    unexpected: true,
  }
}
