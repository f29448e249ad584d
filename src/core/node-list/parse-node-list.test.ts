import { describe, expect, it } from '@jest/globals'
import type { Json, JsonObject } from '../json/value.js'
import { MAX_NODE_LIST_BYTES, parseNodeList } from './parse-node-list.js'
import {
  authorityJson,
  checks,
  DAY,
  ISSUED,
  keyFor,
  listJson,
  listSigner,
  memberJson,
  signerJson,
} from './testing.js'

const anssi = listSigner('anssi')
const dinum = listSigner('dinum')
const authorities = [authorityJson(1, 1, [anssi])]
const parse = (json: Json) => parseNodeList(JSON.stringify(json), checks)

function faultsOf(json: Json): string[] {
  const result = parse(json)
  return result.ok ? [] : result.faults.map(({ path, problem }) => `${path} ${problem}`)
}
const withMember = (more: JsonObject): JsonObject =>
  listJson({ authorities, members: [memberJson('a.example', more)] })

describe('a node list', () => {
  it('is read with all that it says of a member', () => {
    const key = keyFor('finances.example')
    const result = parse(
      listJson({
        authorities,
        members: [
          {
            server_name: 'agent.finances.example',
            label: 'Finances',
            role: 'external',
            addresses: [{ host: '10.0.0.5' }, { host: 'matrix.finances.example', port: 443 }],
            keys: [{ key_id: 'ed25519:b', public_key: key.publicKey, valid_from: 5, valid_until: 9 }],
            tls: { ca: ['-----BEGIN CERTIFICATE-----\n'], pins: ['A'.repeat(43)] },
            email: { domains: ['finances.example'], patterns: ['*.ext@*.finances.example'], fallback: true },
            left_at: 77,
          },
        ],
      }),
    )
    expect(result).toMatchObject({ ok: true, warnings: [] })
    expect(result.ok && result.list.members).toEqual([
      {
        serverName: 'agent.finances.example',
        label: 'Finances',
        role: 'external',
        places: [
          { host: '10.0.0.5', port: 8448 },
          { host: 'matrix.finances.example', port: 443 },
        ],
        keys: [{ keyId: 'ed25519:b', publicKey: key.publicKey, validFrom: 5, validUntil: 9 }],
        tls: { ca: ['-----BEGIN CERTIFICATE-----\n'], pins: ['A'.repeat(43)] },
        email: { domains: ['finances.example'], patterns: ['*.ext@*.finances.example'], fallback: true },
        leftAt: 77,
      },
    ])
  })

  it('is told all its faults at once, each with its place', () => {
    const faults = faultsOf({
      ...listJson({ authorities, expires_at: ISSUED }),
      sequence: 0,
      members: [memberJson('a.example', { role: 'minister' }), 7, memberJson('b.example', { label: ' ' })],
    })
    expect(faults).toEqual([
      expect.stringContaining('sequence is not within'),
      expect.stringContaining('expires_at is not later'),
      expect.stringContaining('members[1] is not an object'),
      expect.stringContaining('members[0].role is not one of agents, external, partner'),
      expect.stringContaining('members[2].label'),
    ])
  })

  it.each([
    ['upper case', 'Agent.example'],
    ['a final dot', 'agent.example.'],
    ['letters of another alphabet', 'agent.exаmple'],
    ['the same in the spelling of DNS', 'agent.xn--exmple-4nf'],
    ['an underscore', 'agent_x.example'],
    ['a label that begins with a hyphen', '-agent.example'],
    ['an empty label', 'agent..example'],
    ['a path', 'agent.example/x'],
    ['a user', 'agent@evil.example'],
    ['port zero', 'agent.example:0'],
    ['a port that is none', 'agent.example:99999'],
    ['a space', 'agent.example '],
    ['a name of the language', '__proto__'],
    ['nothing', ''],
  ])('refuses a server name with %s', (_what, name) => {
    expect(faultsOf(withMember({ server_name: name }))).toEqual([
      expect.stringContaining('members[0].server_name is not a server name'),
    ])
  })

  it.each(['agent.example', 'agent.example:8448', '10.0.0.5', '[fd00::1]:8448', 'localhost:8448'])(
    'takes the server name %s',
    (name) => {
      expect(faultsOf(withMember({ server_name: name }))).toEqual([])
    },
  )

  it.each([
    ['Finances.example'],
    ['finances'],
    ['*.finances.example'],
    ['a@finances.example'],
    ['finances.example@evil.example'],
    ['finances.exаmple'],
    ['10.0.0.1'],
    ['finances.example.'],
  ])('refuses the e-mail domain %s', (domain) => {
    expect(faultsOf(withMember({ email: { domains: [domain] } }))).toHaveLength(1)
  })

  it.each([
    ['*'],
    ['*@*'],
    ['*@*.*'],
    ['a@b@c.example'],
    ['*@x.*.example'],
    ['"a b"@x.example'],
    ['@x.example'],
    ['*@example'],
  ])('refuses the e-mail pattern %s', (pattern) => {
    expect(faultsOf(withMember({ email: { patterns: [pattern] } }))).toHaveLength(1)
  })

  it('warns of names that look alike, and of members without keys', () => {
    const result = parse(
      listJson({
        authorities,
        members: [
          memberJson('agent.interieur.example'),
          memberJson('agent.lnterieur.example'),
          memberJson('c.example', { keys: [] }),
        ],
      }),
    )
    expect(result.ok && result.warnings.map(({ problem }) => problem)).toEqual([
      'has no keys: they are taken from the server itself',
      'agent.lnterieur.example looks like agent.interieur.example',
    ])
  })

  it.each<[string, JsonObject, JsonObject, RegExp]>([
    ['name', {}, { server_name: 'a.example', keys: [] }, /server name a\.example/],
    ['key', {}, { keys: [{ key_id: 'ed25519:z', public_key: keyFor('a.example').publicKey }] }, /the key/],
    [
      'e-mail domain',
      { email: { domains: ['x.example'] } },
      { email: { domains: ['x.example'] } },
      /e-mail domain/,
    ],
    [
      'e-mail pattern',
      { email: { patterns: ['*@*.x.example'] } },
      { email: { patterns: ['*@*.x.example'] } },
      /e-mail pattern/,
    ],
    ['fallback', { email: { fallback: true } }, { email: { fallback: true } }, /fallback/],
  ])('refuses two members with one %s', (_what, one, other, problem) => {
    const members = [memberJson('a.example', one), memberJson('b.example', other)]
    expect(faultsOf(listJson({ authorities, members }))).toEqual([expect.stringMatching(problem)])
  })

  it('lets an e-mail domain of a member who left go to another', () => {
    const email = { domains: ['x.example'] }
    const members = [memberJson('a.example', { email, left_at: 5 }), memberJson('b.example', { email })]
    expect(faultsOf(listJson({ authorities, members }))).toEqual([])
  })

  it('refuses one signer under two names, one name with two keys, and a threshold that nobody can reach', () => {
    const twice = { ...signerJson(anssi), name: 'dinum' }
    const other = { ...signerJson(dinum), name: 'anssi' }
    const of = (threshold: number, signers: readonly JsonObject[]): string[] =>
      faultsOf(listJson({ authorities: [{ generation: 1, threshold, signers }] }))
    expect(of(2, [signerJson(anssi), twice])).toEqual([expect.stringContaining('signers[1].public_key')])
    expect(of(2, [signerJson(anssi), other])).toEqual([expect.stringContaining('signers[1].name')])
    expect(of(3, [signerJson(anssi), signerJson(dinum)])).toEqual([expect.stringContaining('threshold')])
    expect(of(0, [signerJson(anssi)])).toEqual([expect.stringContaining('threshold')])
  })

  it('refuses a key in a second spelling, of small order, or twice under one id', () => {
    const { publicKey } = keyFor('x')
    const keys = (...texts: string[]) => ({
      keys: texts.map((text) => ({ key_id: 'ed25519:a', public_key: text })),
    })
    expect(faultsOf(withMember(keys(`${publicKey}=`)))).toHaveLength(1)
    expect(faultsOf(withMember(keys('A'.repeat(43))))).toHaveLength(1)
    expect(faultsOf(withMember(keys(publicKey, keyFor('y').publicKey)))).toEqual([
      expect.stringContaining('keys[1].key_id'),
    ])
  })

  it('refuses generations with a gap, and a list that nobody signs', () => {
    const gap = [authorityJson(1, 1, [anssi]), authorityJson(3, 1, [dinum])]
    expect(faultsOf(listJson({ authorities: gap }))).toEqual([
      expect.stringContaining('authorities[1].generation'),
    ])
    expect(faultsOf(listJson())).toEqual([expect.stringContaining('names nobody who signs')])
  })

  it('bounds its size, its lists, its texts and its life', () => {
    expect(parseNodeList(' '.repeat(MAX_NODE_LIST_BYTES + 1), checks).ok).toBe(false)
    const many = Array.from({ length: 2_001 }, () => 1)
    expect(faultsOf(listJson({ authorities, members: many }))).toEqual(['members has more than 2000 items'])
    expect(faultsOf(withMember({ label: 'x'.repeat(201) }))).toHaveLength(1)
    expect(faultsOf(listJson({ authorities, expires_at: ISSUED + 2_000 * DAY }))).toHaveLength(1)
    expect(faultsOf(listJson({ authorities, members: many.slice(1) }))).toHaveLength(200)
  })

  it.each([
    ['no JSON', '{'],
    ['no object', '[]'],
    ['another document', '{"type":"m.room.create"}'],
    ['one key twice', '{"type":"org.chancery.node_list.v1","type":"org.chancery.node_list.v1"}'],
    ['a fraction', '{"type":"org.chancery.node_list.v1","sequence":1.5}'],
  ])('refuses %s', (_what, text) => {
    expect(parseNodeList(text, checks)).toMatchObject({ ok: false, faults: [{ path: 'the document' }] })
  })

  it('takes names of the language for ordinary ones', () => {
    const text = JSON.stringify(listJson({ authorities })).replace(
      '"circle"',
      '"__proto__":{"circle":1},"circle"',
    )
    const result = parseNodeList(text, checks)
    expect(result.ok && result.warnings).toEqual([{ path: '__proto__', problem: 'means nothing here' }])
  })
})
