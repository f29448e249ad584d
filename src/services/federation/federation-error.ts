import { AddressRefusedError } from './address-policy.js'

/**
 * Why another server gave no usable answer. `unreachable`: no connection, no address, no valid certificate, or not allowed to
 * be asked. `timeout`: out of time, at any stage. `too-large`: over the limit of bytes. `bad-response`: not what the
 * API promises. `status`: an answer other than 2xx, with its Matrix errcode where it has one.
 */
export type FederationFailure = 'unreachable' | 'timeout' | 'too-large' | 'bad-response' | 'status'

export class FederationError extends Error {
  readonly kind: FederationFailure
  readonly status: number | undefined
  readonly errcode: string | undefined
  /** What a 429 asks for, in milliseconds; as the peer said it, not yet bounded. */
  readonly retryAfterMs: number | undefined

  constructor(
    kind: FederationFailure,
    message: string,
    details: {
      status?: number
      errcode?: string | undefined
      retryAfterMs?: number | undefined
      cause?: unknown
    } = {},
  ) {
    super(message, details.cause === undefined ? {} : { cause: details.cause })
    this.name = 'FederationError'
    this.kind = kind
    this.status = details.status
    this.errcode = details.errcode
    this.retryAfterMs = details.retryAfterMs
  }
}

/**
 * Whether the destination itself is in trouble, so that the same request may succeed later and others will fail too until then.
 * An ordinary 4xx is an answer to this request alone; 401 and 429 concern the server.
 */
export function isRetryable(error: unknown): boolean {
  if (!(error instanceof FederationError)) return false
  const { kind, status = 0 } = error
  return (
    kind !== 'status' || status >= 500 || status === 429 || status === 401 || (status >= 300 && status < 400)
  )
}

const TIMEOUTS = new Set([
  'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT', 'ETIMEOUT',
]) // prettier-ignore
const PROTOCOL = /^(HPE_|UND_ERR_HEADERS_OVERFLOW|UND_ERR_RES_)/

/** What the transport threw, as a FederationError. An abort that the caller wanted comes back as the signal's reason. */
export function transportError(error: unknown, timedOut: boolean, caller?: AbortSignal): unknown {
  if (error instanceof FederationError) return error
  if (caller?.aborted === true) return caller.reason
  if (timedOut) return new FederationError('timeout', 'the server did not answer in time', { cause: error })
  const code = errorCode(error)
  if (TIMEOUTS.has(code))
    return new FederationError('timeout', 'the server did not answer in time', { cause: error })
  if (PROTOCOL.test(code))
    return new FederationError('bad-response', 'the answer is not HTTP', { cause: error })
  if (error instanceof AddressRefusedError)
    return new FederationError('unreachable', error.message, { cause: error })
  return new FederationError('unreachable', `no connection to the server${code === '' ? '' : ` (${code})`}`, {
    cause: error,
  })
}

function errorCode(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : ''
}
