import { isIPv4, isIPv6 } from 'node:net'

/** 4 or 16 bytes of network-order address, with the number of leading bits that count. */
export interface IpRange {
  readonly base: Uint8Array
  readonly bits: number
}

/** 4 bytes for IPv4, 16 for IPv6; undefined for anything else, zones and brackets included. */
export function parseIp(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return Uint8Array.from(text.split('.'), Number)
  if (!isIPv6(text) || text.includes('%')) return undefined
  const [head = '', tail] = text.split('::')
  const left = groups(head)
  const right = tail === undefined ? [] : groups(tail)
  const bytes = new Uint8Array(16)
  bytes.set(left, 0)
  bytes.set(right, 16 - right.length)
  return bytes
}

function groups(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number)
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 255]
  })
}

/** `10.0.0.0/8`, `fc00::/7`, or a single address. */
export function parseCidr(text: string): IpRange | undefined {
  const slash = text.indexOf('/')
  const base = parseIp(slash < 0 ? text : text.slice(0, slash))
  if (base === undefined) return undefined
  if (slash < 0) return { base, bits: base.length * 8 }
  const digits = text.slice(slash + 1)
  if (!/^[0-9]{1,3}$/.test(digits)) return undefined
  const bits = Number(digits)
  return bits <= base.length * 8 ? { base, bits } : undefined
}

export function contains(range: IpRange, ip: Uint8Array): boolean {
  if (range.base.length !== ip.length) return false
  const whole = range.bits >> 3
  for (let index = 0; index < whole; index++) if (range.base[index] !== ip[index]) return false
  const rest = range.bits & 7
  return rest === 0 || range.base[whole]! >> (8 - rest) === ip[whole]! >> (8 - rest)
}

export interface Embedded {
  /** `mapped`: the IPv4 address under another spelling. `tunnel`: a way that leads to it. */
  readonly form: 'mapped' | 'tunnel'
  readonly addresses: readonly Uint8Array[]
}

const prefix = (text: string): IpRange => parseCidr(text)!
const MAPPED = prefix('::ffff:0:0/96')
const TRANSLATED = prefix('::ffff:0:0:0/96')
const COMPATIBLE = prefix('::/96')
const NAT64 = prefix('64:ff9b::/96')
const SIX_TO_FOUR = prefix('2002::/16')
const TEREDO = prefix('2001::/32')

/** The IPv4 addresses that an IPv6 address carries, in every form that an operating system or router may unwrap. */
export function embeddedIPv4(ip: Uint8Array): Embedded | undefined {
  if (ip.length !== 16) return undefined
  const tail = ip.subarray(12)
  if (contains(MAPPED, ip)) return { form: 'mapped', addresses: [tail] }
  if (contains(TRANSLATED, ip) || contains(NAT64, ip)) return { form: 'tunnel', addresses: [tail] }
  if (contains(COMPATIBLE, ip)) return { form: 'tunnel', addresses: [tail] }
  if (contains(SIX_TO_FOUR, ip)) return { form: 'tunnel', addresses: [ip.subarray(2, 6)] }
  // Teredo carries its server, and its client with every bit flipped. RFC 4380, section 4.
  if (contains(TEREDO, ip))
    return { form: 'tunnel', addresses: [ip.subarray(4, 8), tail.map((byte) => byte ^ 255)] }
  // ISATAP: an interface identifier of 0[02]00:5efe before the address. RFC 5214, section 6.1.
  if ((ip[8]! & ~2) === 0 && ip[9] === 0 && ip[10] === 0x5e && ip[11] === 0xfe)
    return { form: 'tunnel', addresses: [tail] }
  return undefined
}
