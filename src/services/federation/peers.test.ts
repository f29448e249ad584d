import { describe, expect, it } from '@jest/globals'
import { createSigner, generateSigningKey, publicKey } from '../../platform/ed25519.js'
import { systemRandom } from '../../platform/random.js'
import type { KnownKey } from './known-keys.js'
import { createPeers, type Peers } from './peers.js'

const keyText = (): string => createSigner(generateSigningKey(systemRandom)).publicKey
const known = (text: string): KnownKey => ({
  key: publicKey(text)!,
  validUntilTs: Infinity,
  expiredTs: undefined,
})
const [one, two] = [keyText(), keyText()]

const listed: Peers = {
  federates: (name) => name !== 'stranger.example',
  keysOf: () =>
    new Map([
      ['ed25519:1', known(one)],
      ['ed25519:2', known(two)],
    ]),
  placesOf: () => [{ host: '10.0.0.9', port: 1 }],
  trustOf: () => ({ ca: [], pins: ['A'.repeat(43)] }),
}

describe('the peers of a node', () => {
  it('are all servers where nothing is said, but none that is denied', () => {
    const peers = createPeers({ deny: ['evil.example'] })
    expect(['a.example', 'evil.example', 'A.example'].map((name) => peers.federates(name))).toEqual([
      true,
      false,
      true,
    ])
    expect([peers.keysOf('a.example'), peers.placesOf('a.example'), peers.trustOf('a.example')]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })

  it('that are denied come by no other spelling of their name either', () => {
    const peers = createPeers({ deny: ['evil.example', 'b.example:8448', 'Loud.example', '[2001:DB8::1]'] })
    const shutOut = [
      'evil.example',
      'EVIL.example',
      'evil.example:8448',
      'evil.example.',
      'b.example:8448',
      'B.example:8448',
      'loud.example:1',
      '[2001:db8::1]:8448',
    ]
    expect(shutOut.filter((name) => peers.federates(name))).toEqual([])
    const others = ['b.example', 'b.example:8449', 'not-evil.example', 'sub.evil.example', '[2001:db8::2]']
    expect(others.filter((name) => !peers.federates(name))).toEqual([])
  })

  it('must be let in by the configuration and by the list', () => {
    const names = ['a.example', 'b.example', 'stranger.example']
    const admitted = (options: Parameters<typeof createPeers>[0]) =>
      names.filter((name) => createPeers(options, listed).federates(name))
    expect(admitted({})).toEqual(['a.example', 'b.example'])
    expect(admitted({ allow: ['a.example', 'stranger.example'] })).toEqual(['a.example'])
    expect(admitted({ deny: ['a.example'] })).toEqual(['b.example'])
    expect(admitted({ enabled: false })).toEqual([])
  })

  it('are found and known by the configuration first, and else by the list', () => {
    const peers = createPeers(
      {
        hosts: new Map([['a.example', { host: '10.0.0.1', port: 2 }]]),
        pinnedKeys: new Map([['a.example', new Map([['ed25519:3', keyText()]])]]),
        caByServer: new Map([['a.example', ['PEM']]]),
      },
      listed,
    )
    expect(peers.placesOf('a.example')).toEqual([{ host: '10.0.0.1', port: 2 }])
    expect(peers.placesOf('b.example')).toEqual([{ host: '10.0.0.9', port: 1 }])
    expect([...peers.keysOf('a.example')!.keys()]).toEqual(['ed25519:3'])
    expect([...peers.keysOf('b.example')!.keys()]).toEqual(['ed25519:1', 'ed25519:2'])
    expect(peers.trustOf('a.example')).toEqual({ ca: ['PEM'], pins: [] })
    expect(peers.trustOf('b.example')).toMatchObject({ pins: ['A'.repeat(43)] })
    // The same object each time: connections are shared by it.
    expect(peers.trustOf('a.example')).toBe(peers.trustOf('a.example'))
  })

  it('have no key that is banned here, whatever the list says', () => {
    const peers = createPeers({ bannedKeys: new Set([one]) }, listed)
    expect([...peers.keysOf('b.example')!.keys()]).toEqual(['ed25519:2'])
  })
})
