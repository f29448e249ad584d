import { lookup as systemLookup, type LookupAddress } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { parseIp, type IpRange, contains, embeddedIPv4, parseCidr } from './ip-address.js'

/** Which addresses may be connected to. */
export interface AddressPolicy {
  /** For an IPv4 or IPv6 address as text, without brackets or zone; anything else is refused. */
  allows(address: string): boolean
}

export interface AddressPolicyOptions {
  /** CIDR ranges that are refused; the default is every range that is not the public internet. */
  denied?: readonly string[]
  /** Exceptions from `denied`. */
  allowed?: readonly string[]
}

/**
 * Everything that IANA's special-purpose registries do not give to the public internet.
 * https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry
 */
export const NOT_PUBLIC: readonly string[] = [
  '0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24',
  '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4',
  '::/128', '::1/128', '64:ff9b:1::/48', '100::/64', '2001::/23', '2001:db8::/32', '3fff::/20', '5f00::/16', 'fc00::/7', 'fe80::/10', 'fec0::/10', 'ff00::/8',
] // prettier-ignore

/**
 * An address passes where no denied range holds it, or an allowed one does. An IPv6 address that carries an IPv4
 * address (mapped, 6to4, NAT64, Teredo, …) must pass by that one too, else it would be a way around the ranges.
 * Throws a RangeError for a range that is none.
 */
export function createAddressPolicy(options: AddressPolicyOptions = {}): AddressPolicy {
  const denied = (options.denied ?? NOT_PUBLIC).map(rangeOrThrow)
  const allowed = (options.allowed ?? []).map(rangeOrThrow)
  const passes = (ip: Uint8Array): boolean =>
    allowed.some((range) => contains(range, ip)) || !denied.some((range) => contains(range, ip))
  return {
    allows(address) {
      const ip = parseIp(address)
      if (ip === undefined) return false
      if (ip.length === 16 && allowed.some((range) => range.base.length === 16 && contains(range, ip)))
        return true
      const inner = embeddedIPv4(ip)
      if (inner?.form === 'mapped') return passes(inner.addresses[0]!)
      return passes(ip) && (inner?.addresses ?? []).every(passes)
    },
  }
}

/** Why a connection was refused before it was made. */
export class AddressRefusedError extends Error {
  readonly code = 'ADDRESS_REFUSED'
  constructor(host: string) {
    super(`${host} has no address that may be connected to`)
    this.name = 'AddressRefusedError'
  }
}

type ResolveAll = (
  host: string,
  options: { all: true; family: 0 | 4 | 6 },
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/**
 * A `lookup` for net and tls sockets which hands out permitted addresses only. The socket connects to exactly what it
 * is handed, so a name that resolves otherwise a moment later gains nothing. Names go through the system's resolver,
 * /etc/hosts included. Not asked for IP literals: those are the caller's to check.
 */
export function guardedLookup(policy: AddressPolicy, resolve: ResolveAll = systemLookup): LookupFunction {
  return (host, options, callback) => {
    const family = options.family === 4 || options.family === 6 ? options.family : 0
    resolve(host, { all: true, family }, (error, found) => {
      if (error !== null) return callback(error, '', 0)
      const safe = found
        .filter(({ address }) => isIP(address) !== 0 && policy.allows(address))
        .slice(0, MAX_ADDRESSES)
      if (safe.length === 0) return callback(new AddressRefusedError(host), '', 0)
      if (options.all === true) return callback(null, safe, 0)
      callback(null, safe[0]!.address, safe[0]!.family)
    })
  }
}

/** A name with more addresses than this is not made more reachable by trying them all. */
const MAX_ADDRESSES = 8

function rangeOrThrow(text: string): IpRange {
  const range = parseCidr(text)
  if (range === undefined) throw new RangeError(`not an IP range: ${text}`)
  return range
}
