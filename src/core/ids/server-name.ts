export interface ServerName {
  /** The literal or DNS name, without brackets around an IPv6 literal. */
  readonly host: string
  readonly kind: 'dns' | 'ipv4' | 'ipv6'
  readonly port: number | undefined
}

/** A dns-name of 255 characters, a colon and five digits. Identifiers that contain a server name are shorter. */
const MAX_LENGTH = 261
// Labels are not empty: `..` must not be a server name, which becomes part of a path somewhere.
const DNS_NAME = /^[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*\.?$/
const DOTTED_QUAD = /^[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}$/
const PORT = /^[0-9]{1,5}$/

/**
 * Parses a server name: a DNS name, an IPv4 literal or a bracketed IPv6 literal, and an optional port.
 * Names are compared byte for byte: the specification makes them case-sensitive.
 * SPEC: https://spec.matrix.org/v1.19/appendices/#server-name
 */
export function parseServerName(text: string): ServerName | undefined {
  if (text.length > MAX_LENGTH) return undefined
  const bracketed = text.startsWith('[')
  const hostEnd = bracketed ? text.indexOf(']') + 1 : text.includes(':') ? text.indexOf(':') : text.length
  if (hostEnd === 0) return undefined
  const rest = text.slice(hostEnd)
  const port = rest === '' ? undefined : parsePort(rest)
  if (rest !== '' && port === undefined) return undefined
  if (bracketed) {
    const host = text.slice(1, hostEnd - 1)
    return isIPv6(host) ? { host, kind: 'ipv6', port } : undefined
  }
  const host = text.slice(0, hostEnd)
  // Four groups of digits can only be meant as an address: 999.1.1.1 is no DNS name that could exist.
  if (DOTTED_QUAD.test(host)) return isIPv4(host) ? { host, kind: 'ipv4', port } : undefined
  return host.length <= 255 && DNS_NAME.test(host) ? { host, kind: 'dns', port } : undefined
}

export const isServerName = (text: string): boolean => parseServerName(text) !== undefined

function parsePort(rest: string): number | undefined {
  const digits = rest.slice(1)
  if (rest[0] !== ':' || !PORT.test(digits)) return undefined
  const port = Number(digits)
  return port <= 65535 ? port : undefined
}

const isIPv4 = (text: string): boolean =>
  DOTTED_QUAD.test(text) && text.split('.').every((part) => Number(part) <= 255)

/**
 * An IPv6 address as text: eight groups of up to four hexadecimal digits, one `::` standing for one or more groups
 * of zeros, and possibly a dotted IPv4 address in place of the last two groups. No zone.
 */
function isIPv6(text: string): boolean {
  if (text.length < 2 || text.length > 45) return false
  const halves = text.split('::')
  if (halves.length > 2) return false
  let groups = 0
  for (const [index, half] of halves.entries()) {
    if (half === '') {
      if (halves.length === 1) return false
      continue
    }
    const parts = half.split(':')
    for (const [position, part] of parts.entries()) {
      const last = index === halves.length - 1 && position === parts.length - 1
      if (/^[0-9A-Fa-f]{1,4}$/.test(part)) groups += 1
      else if (last && isIPv4(part)) groups += 2
      else return false
    }
  }
  return halves.length === 2 ? groups <= 7 : groups === 8
}
