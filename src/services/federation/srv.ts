import { Resolver, type SrvRecord } from 'node:dns'
import type { Random } from '../../platform/random.js'

export interface SrvTarget {
  readonly host: string
  readonly port: number
}

/** `none`: there is no such record. `failed`: DNS did not say. A list in order of preference, empty where all records are unusable. */
export type SrvAnswer = readonly SrvTarget[] | 'none' | 'failed'

export type ResolveSrv = (name: string) => Promise<readonly SrvRecord[]>

/** DNS with short time-outs, and never on the thread pool. */
export function systemSrv(timeoutMs = 2_000): ResolveSrv {
  const resolver = new Resolver({ timeout: timeoutMs, tries: 2 })
  return (name) =>
    new Promise((resolve, reject) => {
      resolver.resolveSrv(name, (error, records) => (error === null ? resolve(records) : reject(error)))
    })
}

const ABSENT = new Set(['ENODATA', 'ENOTFOUND', 'NODATA', 'NOTFOUND'])
const DNS_NAME = /^(?=.{1,253}$)[0-9A-Za-z_](?:[0-9A-Za-z_.-]*[0-9A-Za-z_])?$/
const MAX_RECORDS = 200
const MAX_TARGETS = 8

/**
 * The targets of a service, lowest priority value first and drawn by weight within one (RFC 2782); at most 8.
 * Records without a port, with an address or no DNS name as target, are passed over.
 */
export async function lookUpSrv(resolve: ResolveSrv, name: string, random: Random): Promise<SrvAnswer> {
  let records: readonly SrvRecord[]
  try {
    records = await resolve(name)
  } catch (error) {
    return ABSENT.has((error as NodeJS.ErrnoException).code ?? '') ? 'none' : 'failed'
  }
  if (records.length === 0) return 'none'
  const usable = records.slice(0, MAX_RECORDS).flatMap((record) => {
    const host = record.name.endsWith('.') ? record.name.slice(0, -1) : record.name
    // A name whose last label is a number would be taken for an IPv4 address.
    const good =
      DNS_NAME.test(host) && !/(^|\.)[0-9]+$/.test(host) && record.port >= 1 && record.port <= 65_535
    return good ? [{ ...record, name: host }] : []
  })
  return inOrder(usable, random)
    .slice(0, MAX_TARGETS)
    .map(({ name: host, port }) => ({ host, port }))
}

function inOrder(records: readonly SrvRecord[], random: Random): SrvRecord[] {
  const priorities = [...new Set(records.map(({ priority }) => priority))].sort((a, b) => a - b)
  return priorities.flatMap((priority) =>
    drawn(
      records.filter((record) => record.priority === priority),
      random,
    ),
  )
}

function drawn(records: readonly SrvRecord[], random: Random): SrvRecord[] {
  const left = [...records]
  const order: SrvRecord[] = []
  while (left.length > 0) {
    const total = left.reduce((sum, { weight }) => sum + weight, 0)
    const bytes = random.bytes(4)
    const number = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0)
    let rest = number % (total + 1)
    const at = left.findIndex(({ weight }) => (rest -= weight) <= 0)
    order.push(...left.splice(at, 1))
  }
  return order
}
