import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'

const lists = new WeakMap<readonly string[], BlockList>()

function listOf(ranges: readonly string[]): BlockList {
  const known = lists.get(ranges)
  if (known !== undefined) return known
  const list = new BlockList()
  for (const range of ranges) {
    const [address, prefix] = range.split('/')
    const family = isIP(address!) === 6 ? 'ipv6' : 'ipv4'
    list.addSubnet(address!, prefix === undefined ? (family === 'ipv6' ? 128 : 32) : Number(prefix), family)
  }
  lists.set(ranges, list)
  return list
}

const unmapped = (address: string): string =>
  address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address

const trusted = (address: string, list: BlockList): boolean => {
  const family = isIP(address)
  return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4')
}

/**
 * The address of the client: the last hop of `X-Forwarded-For` that is no trusted proxy, when the connection itself
 * comes from a trusted proxy; else the peer of the connection.
 */
export function clientAddress(req: IncomingMessage, trustedProxies: readonly string[]): string {
  const peer = unmapped(req.socket.remoteAddress ?? '')
  const forwarded = req.headers['x-forwarded-for']
  if (trustedProxies.length === 0 || forwarded === undefined) return peer
  const list = listOf(trustedProxies)
  if (!trusted(peer, list)) return peer
  const hops = (Array.isArray(forwarded) ? forwarded.join(',') : forwarded)
    .split(',')
    .map((hop) => unmapped(hop.trim()))
  for (let i = hops.length - 1; i >= 0; i--) {
    const hop = hops[i]!
    if (isIP(hop) === 0) return peer
    if (!trusted(hop, list)) return hop
  }
  return hops[0] ?? peer
}
