import { parseServerName } from '../../core/ids/server-name.js'
import type { Clock } from '../../platform/clock.js'
import { createLru } from '../../platform/lru.js'
import type { Random } from '../../platform/random.js'
import { lookUpSrv, type ResolveSrv, type SrvTarget } from './srv.js'
import type { WellKnown } from './well-known.js'

/** One place where a server may be found. */
export interface Candidate {
  /** DNS name or IP address to connect to, without brackets; a name is resolved when the connection is made. */
  readonly host: string
  readonly port: number
  readonly hostHeader: string
  /** DNS name or IP address that the certificate must be for. */
  readonly tlsServerName: string
}

export interface Discovery {
  /**
   * Where to find a server, best place first. Empty where the name is none or its owner says that nobody is there.
   * Takes no longer than the time-outs of well-known and DNS allow (together under 20 seconds). Never rejects.
   */
  resolve(serverName: string): Promise<readonly Candidate[]>
}

export interface DiscoveryDeps {
  /** Undefined: well-known documents are not looked for. */
  readonly wellKnown: WellKnown | undefined
  /** Undefined: SRV records are not looked for. */
  readonly resolveSrv: ResolveSrv | undefined
  readonly clock: Clock
  readonly random: Random
  /** Where a server is found, whatever DNS says. Host header and certificate stay those of the server name. */
  readonly placesOf?: (serverName: string) => readonly SrvTarget[] | undefined
}

const DEFAULT_PORT = 8448
const SRV_LIFE = 5 * 60_000
const SRV_FAILED_LIFE = 30_000

/**
 * Finds servers by their names, in the specification's six steps.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#resolving-server-names
 */
export function createDiscovery(deps: DiscoveryDeps): Discovery {
  const { wellKnown, resolveSrv, clock, random, placesOf } = deps
  const srvCache = createLru<string, Promise<readonly SrvTarget[] | undefined>>({ max: 10_000, clock })

  /** Undefined: no record, go on to the default port. */
  function srvTargets(host: string): Promise<readonly SrvTarget[] | undefined> {
    const cached = srvCache.get(host)
    if (cached !== undefined) return cached
    const looking = lookUp(host)
    srvCache.set(host, looking, SRV_LIFE)
    return looking
  }

  async function lookUp(host: string): Promise<readonly SrvTarget[] | undefined> {
    if (resolveSrv === undefined) return undefined
    // The second service is deprecated, and asked for only where the first does not exist.
    for (const service of ['_matrix-fed', '_matrix']) {
      const answer = await lookUpSrv(resolveSrv, `${service}._tcp.${host}`, random)
      if (answer === 'failed') {
        srvCache.set(host, Promise.resolve(undefined), SRV_FAILED_LIFE)
        return undefined
      }
      if (answer !== 'none') return answer
    }
    return undefined
  }

  /** Steps 3.1 to 3.5, and 4 to 6, which are the same for another name. */
  async function locate(serverName: string): Promise<readonly Candidate[]> {
    const direct = withoutDns(serverName)
    if (direct !== undefined) return direct
    const targets = (await srvTargets(serverName)) ?? [{ host: serverName, port: DEFAULT_PORT }]
    return targets.map((target) => ({ ...target, hostHeader: serverName, tlsServerName: serverName }))
  }

  return {
    async resolve(serverName) {
      const name = parseServerName(serverName)
      if (name === undefined) return []
      const places = placesOf?.(serverName)
      if (places !== undefined) {
        return places.map((place) => ({ ...place, hostHeader: serverName, tlsServerName: name.host }))
      }
      const direct = withoutDns(serverName)
      if (direct !== undefined) return direct
      return locate((await wellKnown?.delegate(name.host)) ?? serverName)
    },
  }
}

/** Steps 1 and 2: IP literals and explicit ports need no further question. Undefined for other names. */
function withoutDns(serverName: string): readonly Candidate[] | undefined {
  const name = parseServerName(serverName)
  if (name === undefined || name.port === 0) return []
  if (name.kind === 'dns' && name.port === undefined) return undefined
  const { host, port = DEFAULT_PORT } = name
  return [{ host, port, hostHeader: serverName, tlsServerName: host }]
}
