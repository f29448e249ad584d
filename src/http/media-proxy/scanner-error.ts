import type { ErrorAnswer } from '../error-body.js'

const PREFIX = '/_matrix/media_proxy/'
const MALFORMED = new Set(['M_NOT_JSON', 'M_BAD_JSON', 'M_TOO_LARGE'])

/** The body of an error as clients of the path read it: the content scanner's have `reason` and `info` too. */
export function errorBodyFor(path: string, { status, body }: ErrorAnswer): Readonly<Record<string, unknown>> {
  if (!path.startsWith(PREFIX) || body['reason'] !== undefined) return body
  const errcode = String(body['errcode'])
  const isOthers = status === 502 || status === 504
  const reason = isOthers
    ? 'MCS_MEDIA_REQUEST_FAILED'
    : MALFORMED.has(errcode)
      ? 'MCS_MALFORMED_JSON'
      : errcode
  return { ...body, reason, info: body['error'] }
}
