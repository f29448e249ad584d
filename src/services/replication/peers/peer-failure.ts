import { MatrixError } from '../../../core/errors.js'
import { FederationError } from '../../federation/client.js'

/** What other servers say that a client should hear as it is, the most telling first. */
const PASSED_ON = [
  'M_INCOMPATIBLE_ROOM_VERSION',
  'M_INVITE_BLOCKED',
  'M_FORBIDDEN',
  'M_UNABLE_TO_GRANT_JOIN',
  'M_UNABLE_TO_AUTHORISE_JOIN',
  'M_LIMIT_EXCEEDED',
  'M_NOT_FOUND',
]

/** A peer that answered something which the API does not promise, or which must not be believed. */
export const badAnswer = (why: string): FederationError => new FederationError('bad-response', why)

const NOBODY = 'No server that was asked could help'

/**
 * What a client is told after every server that was asked has failed: the most telling of their refusals. What is wrong
 * with our request, or with the servers, is a gateway error. SPEC: server-server-api/#put_matrixfederationv2send_joinroomideventid (400)
 */
export function matrixErrorOf(failures: readonly unknown[]): MatrixError {
  let best: MatrixError | undefined
  let rank = PASSED_ON.length
  for (const failure of failures) {
    const errcode =
      failure instanceof FederationError || failure instanceof MatrixError ? failure.errcode : undefined
    const place = errcode === undefined ? -1 : PASSED_ON.indexOf(errcode)
    if (place === -1 || place >= rank) continue
    rank = place
    best = failure instanceof MatrixError ? failure : refusalOf(failure as FederationError, errcode!)
  }
  return best ?? new MatrixError('M_UNKNOWN', NOBODY, {}, 502)
}

function refusalOf({ kind, message }: FederationError, errcode: string): MatrixError {
  // What is no answer is a refusal of our own, as of a server that is not allowed.
  const why = kind === 'status' ? `Another server refused: ${message.slice(0, 500)}` : message
  return new MatrixError(errcode, why)
}

/** Whether the peer does not know the endpoint, so that an older one may do. */
export function isUnrecognized(error: unknown): boolean {
  if (!(error instanceof FederationError) || error.kind !== 'status') return false
  const { status, errcode } = error
  return errcode === 'M_UNRECOGNIZED' || ((status === 404 || status === 405) && errcode === undefined)
}
