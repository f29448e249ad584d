import type { IncomingMessage } from 'node:http'
import { accessToken } from '../../auth/token.js'

/** The access token of a request to a route that takes one in some cases only (application services). */
export function requestToken(request: {
  readonly headers: IncomingMessage['headers']
  readonly uri: string
}): string | undefined {
  const at = request.uri.indexOf('?')
  return accessToken(request.headers, new URLSearchParams(at < 0 ? '' : request.uri.slice(at + 1)))
}
