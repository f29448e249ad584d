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
  /** The client's IP address. */
  readonly address?: string
}

/** Says which server made a request, or throws a `MatrixError`. */
export interface RequestAuth {
  /**
   * By the header alone, before a body is read. Throws M_UNAUTHORIZED for a header that is missing, malformed or meant for another
   * server, M_FORBIDDEN for servers that this one does not federate with.
   */
  admit(authorization: InboundRequest['authorization']): void
  /**
   * The server whose signature the request bears. Throws as `admit`, M_UNAUTHORIZED where no valid key of the origin made it, and
   * M_LIMIT_EXCEEDED where too many servers are asked for their keys because of this address.
   */
  verify(request: InboundRequest): Promise<string>
}

export interface RequestAuthDeps {
  readonly serverName: string
  readonly keys: Pick<Keys, 'verify'>
  readonly clock: Clock
  readonly federates?: (serverName: string) => boolean
}

/** Servers that are asked for their keys at once because of requests from one address: anybody may name thousands that never answer. */
const MAX_ASKED = 24

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

  /** Servers that are being asked, and for how many requests, by address. */
  const asking = new Map<string, Map<string, number>>()

  /** Whoever names the same server waits for the same question. */
  async function asked<T>(address: string, origin: string, task: () => Promise<T>): Promise<T> {
    const own = asking.get(address) ?? new Map<string, number>()
    const before = own.get(origin) ?? 0
    if (before === 0 && own.size >= MAX_ASKED)
      throw new MatrixError('M_LIMIT_EXCEEDED', 'Other servers named from your address are being asked for their keys', { retry_after_ms: 5_000 }) // prettier-ignore
    asking.set(address, own.set(origin, before + 1))
    try {
      return await task()
    } finally {
      const after = own.get(origin)! - 1
      if (after > 0) own.set(origin, after)
      else own.delete(origin)
      if (own.size === 0) asking.delete(address)
    }
  }

  return {
    admit: (authorization) => void claimed(authorization),

    async verify({ method, uri, authorization, content, address = '' }) {
      const { origin, keyId, signature, destination } = claimed(authorization)
      const bytes = requestBytes({ method, uri, origin, destination: destination ?? serverName, content })
      if (bytes === undefined)
        throw unauthorized('The body has no canonical form, so that nobody can have signed it')
      const signatures = new Map([[keyId, signature]])
      const check = { serverName: origin, signatures, bytes, at: clock.now(), enforceValidity: true, use: 'request' } as const // prettier-ignore
      let [verdict] = await keys.verify([check], { knownOnly: true })
      if (verdict?.ok === true) return origin
      const mayChange = verdict?.reason === 'unknown-key' || verdict?.reason === 'expired-key'
      if (mayChange) [verdict] = await asked(address, origin, () => keys.verify([check]))
      if (verdict?.ok === true) return origin
      throw unauthorized(
        verdict?.reason === 'unknown-key'
          ? 'No valid key of the origin with this id could be had'
          : 'The signature of the request is not valid',
      )
    },
  }
}
