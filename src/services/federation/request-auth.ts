import { MatrixError } from '../../core/errors.js'
import type { Json } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import type { Keys } from './keys.js'
import { parseXMatrix, requestBytes, type XMatrix } from './x-matrix.js'

/** A request of another server, as it arrived. */
export interface InboundRequest {
  readonly method: string
  /** Path and query as received, not decoded. */
  readonly uri: string
  /** Every `Authorization` header of the request. */
  readonly authorization: string | readonly string[] | undefined
  /** The body, parsed without loss; undefined where there was none. */
  readonly content: Json | undefined
}

/** Says which server made a request, or throws a `MatrixError`. */
export interface RequestAuth {
  /**
   * By the header alone, before a body is read. Throws M_UNAUTHORIZED for a header that is missing, malformed or meant for another
   * server, M_FORBIDDEN for servers that this one does not federate with.
   */
  admit(authorization: InboundRequest['authorization']): void
  /** The server whose signature the request bears. Throws as `admit`, and M_UNAUTHORIZED where no valid key of the origin made it. */
  verify(request: InboundRequest): Promise<string>
}

export interface RequestAuthDeps {
  readonly serverName: string
  readonly keys: Pick<Keys, 'verify'>
  readonly clock: Clock
  readonly federates?: (serverName: string) => boolean
}

const unauthorized = (message: string): MatrixError => new MatrixError('M_UNAUTHORIZED', message, {}, 401)

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#request-authentication */
export function createRequestAuth(deps: RequestAuthDeps): RequestAuth {
  const { serverName, keys, clock, federates = () => true } = deps

  function claimed(authorization: InboundRequest['authorization']): XMatrix {
    const all = typeof authorization === 'string' ? [authorization] : (authorization ?? [])
    if (all.length === 0) throw unauthorized('The request carries no Authorization header')
    // With two headers, a proxy and this server could believe different ones.
    if (all.length > 1) throw unauthorized('The request carries several Authorization headers')
    const header = parseXMatrix(all[0]!)
    if (header === undefined) throw unauthorized('The Authorization header is not a valid X-Matrix one')
    if (header.destination !== undefined && header.destination !== serverName) {
      throw unauthorized('The request is meant for another server')
    }
    if (header.origin === serverName) throw unauthorized('This server does not send requests to itself')
    if (!federates(header.origin)) {
      throw new MatrixError('M_FORBIDDEN', 'This server does not federate with the origin of the request')
    }
    return header
  }

  return {
    admit: (authorization) => void claimed(authorization),

    async verify({ method, uri, authorization, content }) {
      const { origin, keyId, signature, destination } = claimed(authorization)
      const bytes = requestBytes({ method, uri, origin, destination: destination ?? serverName, content })
      if (bytes === undefined)
        throw unauthorized('The body has no canonical form, so that nobody can have signed it')
      const signatures = new Map([[keyId, signature]])
      const [verdict] = await keys.verify([
        { serverName: origin, signatures, bytes, at: clock.now(), enforceValidity: true, use: 'request' },
      ])
      if (verdict?.ok === true) return origin
      throw unauthorized(
        verdict?.reason === 'unknown-key'
          ? 'No valid key of the origin with this id could be had'
          : 'The signature of the request is not valid',
      )
    },
  }
}
