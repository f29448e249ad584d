import type { IncomingMessage } from 'node:http'
import { MatrixError } from '../../core/errors.js'

/**
 * The access token of a request: from the `Authorization` header, or (old clients) from the query string.
 * Both with different values is refused. SPEC: https://spec.matrix.org/v1.19/client-server-api/#using-access-tokens
 */
export function accessToken(headers: IncomingMessage['headers'], query: URLSearchParams): string | undefined {
  const header = headers.authorization
  const inQuery = query.get('access_token') ?? undefined
  if (header === undefined) return inQuery === '' ? undefined : inQuery
  const [scheme, token, ...rest] = header.trim().split(/\s+/)
  if (scheme?.toLowerCase() !== 'bearer' || token === undefined || rest.length > 0) {
    throw new MatrixError('M_MISSING_TOKEN', 'The Authorization header is not of the form "Bearer <token>"')
  }
  if (inQuery !== undefined && inQuery !== token) {
    throw new MatrixError('M_UNKNOWN_TOKEN', 'The header and the query string carry different access tokens')
  }
  return token
}
