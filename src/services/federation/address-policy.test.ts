import { describe, expect, it } from '@jest/globals'
import type { LookupAddress, LookupOptions } from 'node:dns'
import { AddressRefusedError, createAddressPolicy, guardedLookup } from './address-policy.js'

const policy = createAddressPolicy()

describe('the address policy', () => {
  it.each([
    '1.1.1.1', '8.8.8.8', '172.15.255.255', '172.32.0.0', '100.63.255.255', '100.128.0.1', '223.255.255.255', '2606:4700::1111', '2a00:1450:4007::200e',
    '::ffff:8.8.8.8', '64:ff9b::8.8.8.8', '2002:808:808::1',
  ])('lets %s pass', (address) => {
    expect(policy.allows(address)).toBe(true)
  }) // prettier-ignore

  it.each([
    '127.0.0.1', '127.255.255.254', '0.0.0.0', '0.1.2.3', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '169.254.169.254', '100.64.0.1',
    '224.0.0.1', '255.255.255.255', '198.18.0.1', '192.0.0.8', '::', '::1', 'fe80::1', 'febf::1', 'fc00::1', 'fdff::1', 'fec0::1', 'ff02::1', '2001:db8::1',
    // IPv4-mapped, in each spelling
    '::ffff:127.0.0.1', '::ffff:7f00:1', '0:0:0:0:0:ffff:a00:1', '::FFFF:192.168.0.1',
    // IPv4-compatible, SIIT, 6to4, NAT64, Teredo (server; client), ISATAP
    '::127.0.0.1', '::ffff:0:127.0.0.1', '2002:7f00:1::', '2002:a00:1::1', '64:ff9b::a00:1', '64:ff9b:1::1', '2001:0:7f00:1::', '2001:0:808:808:0:0:80ff:fffe',
    '2606:4700::5efe:127.0.0.1', '2606:4700::200:5efe:10.0.0.1',
    // not addresses
    '', 'localhost', '127.1', '2130706433', '0x7f.1', '[::1]', 'fe80::1%eth0', '2606:4700::1111%lo', '1.1.1.1 ', '1.1.1.256',
  ])('refuses %j', (address) => {
    expect(policy.allows(address)).toBe(false)
  }) // prettier-ignore

  it('makes the exceptions that the configuration names, and no others', () => {
    const own = createAddressPolicy({ allowed: ['10.1.0.0/16', 'fd00:1::/32', '127.0.0.1'] })
    for (const yes of ['10.1.2.3', '::ffff:10.1.2.3', 'fd00:1::5', '127.0.0.1', '8.8.8.8'])
      expect(own.allows(yes)).toBe(true)
    for (const no of ['10.2.0.1', 'fd00:2::5', '127.0.0.2', '::ffff:10.2.0.1', '2002:a02:1::1'])
      expect(own.allows(no)).toBe(false)
  })

  it('lets no IPv4 exception open an IPv6 range that is denied itself', () => {
    const own = createAddressPolicy({ denied: ['10.0.0.0/8', '2002::/16'], allowed: ['10.1.0.0/16'] })
    expect(own.allows('2002:a01:1::1')).toBe(false)
  })

  it('refuses to start with a range that is none', () => {
    for (const bad of ['10.0.0.0/33', '10.0.0/8', 'x', '::/129', '10.0.0.0/-1', '10.0.0.0/']) {
      expect(() => createAddressPolicy({ denied: [bad] })).toThrow(RangeError)
    }
  })
})

describe('the guarded lookup', () => {
  const resolving = (addresses: LookupAddress[], options: LookupOptions = {}) =>
    new Promise<unknown>((resolve, reject) => {
      const lookup = guardedLookup(policy, (_, __, done) => done(null, addresses))
      lookup('name.example', options as never, (error, address) =>
        error === null ? resolve(address) : reject(error),
      )
    })
  const safe = { address: '8.8.8.8', family: 4 }
  const loopback = { address: '127.0.0.1', family: 4 }
  const mapped = { address: '::ffff:127.0.0.1', family: 6 }

  it('hands out the permitted addresses of a name and drops the others', async () => {
    expect(await resolving([loopback, safe, mapped], { all: true })).toEqual([safe])
    expect(await resolving([mapped, safe])).toBe('8.8.8.8')
  })

  it('refuses a name that has no permitted address', async () => {
    await expect(resolving([loopback, mapped], { all: true })).rejects.toBeInstanceOf(AddressRefusedError)
    await expect(resolving([])).rejects.toBeInstanceOf(AddressRefusedError)
  })

  it('tries no more than a few of a thousand addresses', async () => {
    const many = Array.from({ length: 1_000 }, () => safe)
    expect(await resolving(many, { all: true })).toHaveLength(8)
  })
})
