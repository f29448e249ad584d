import { createHash } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { parseJson } from '../json/parse.js'
import { type Act, type ActName } from './acts.js'
import { chainEntry, entryDigest, entryText, GENESIS, type ChainedEntry } from './entry.js'
import { followChain, followDigests, START, type ChainHead } from './follow-chain.js'

const ALICE = '@alice:finances.example'
const signIn = (n: number): Act => ({
  act: 'session.opened',
  by: { kind: 'user', id: ALICE, device: `D${n}` },
  details: { n },
})

function chainOf(length: number): ChainedEntry[] {
  const chain: ChainedEntry[] = []
  for (let id = 1; id <= length; id++)
    chain.push(chainEntry(id, chain.at(-1)?.hash ?? GENESIS, 1_700_000_000_000 + id, signIn(id)))
  return chain
}

/** The first fault, or the head. */
function follow(chain: readonly ChainedEntry[]): ChainHead | string {
  let head = START
  for (const row of chain) {
    const step = followChain(head, row)
    if (!step.ok) return `${step.fault} ${step.id}`
    head = step.head
  }
  return head
}

describe('the chain of the audit log', () => {
  it('is followed from its start to its head', () => {
    const chain = chainOf(5)
    expect(follow(chain)).toEqual({ id: 5, hash: chain[4]!.hash })
  })

  it('hashes what can be hashed again by hand', () => {
    const [first] = chainOf(1)
    const digest = createHash('sha256').update(first!.entry).digest('hex')
    const link = `{"digest":"${digest}","id":1,"prev":"${'0'.repeat(64)}"}`
    expect(first!.hash).toBe(createHash('sha256').update(link).digest('hex'))
  })

  it.each<[string, (chain: ChainedEntry[]) => ChainedEntry[], string]>([
    ['an entry that is gone', (c) => c.toSpliced(2, 1), 'missing 3'],
    ['the first entry gone', (c) => c.slice(1), 'missing 1'],
    [
      'another text',
      (c) => c.with(2, { ...c[2]!, entry: c[2]!.entry.replace('alice', 'mallo') }),
      'altered 3',
    ],
    ['another hash', (c) => c.with(2, { ...c[2]!, hash: 'f'.repeat(64) }), 'altered 3'],
    [
      'an entry hashed again by itself',
      (c) => c.with(2, chainEntry(3, c[1]!.hash, 1, signIn(99))),
      'altered 4',
    ],
    [
      'two entries in each other’s place',
      (c) => c.with(1, { ...c[2]!, id: 2 }).with(2, { ...c[1]!, id: 3 }),
      'malformed 2',
    ],
    ['a text that is not canonical', (c) => c.with(2, { ...c[2]!, entry: ` ${c[2]!.entry}` }), 'malformed 3'],
    ['no JSON', (c) => c.with(2, { ...c[2]!, entry: 'gone' }), 'malformed 3'],
    ['an entry twice', (c) => c.toSpliced(2, 0, c[1]!), 'missing 3'],
  ])('shows %s', (_name, tamper, found) => {
    expect(follow(tamper(chainOf(5)))).toBe(found)
  })

  it('is followed by digests alone', () => {
    const chain = chainOf(5)
    const digests = chain.slice(2).map((row) => entryDigest(row.entry))
    expect(followDigests({ id: 2, hash: chain[1]!.hash }, digests)).toEqual({ id: 5, hash: chain[4]!.hash })
    expect(followDigests({ id: 2, hash: chain[1]!.hash }, digests.toReversed()).hash).not.toBe(chain[4]!.hash)
  })
})

describe('an entry of the audit log', () => {
  const read = (act: Act): Record<string, unknown> => {
    const parsed = parseJson(entryText(7, 1_700_000_000_000.5, act))
    if (!parsed.ok) throw new Error(parsed.reason)
    return parsed.value as Record<string, unknown>
  }

  it('says who did what to whom, when and with which outcome', () => {
    expect(
      read({
        act: 'account.locked',
        by: { kind: 'admin', id: ALICE, device: undefined },
        on: '@bob:finances.example',
        reason: 'lost phone',
        requestId: 'r1',
        details: { until: null, absent: undefined },
      }),
    ).toEqual({
      id: 7,
      ts: 1_700_000_000_000,
      act: 'account.locked',
      by: { kind: 'admin', id: ALICE },
      on: '@bob:finances.example',
      outcome: 'done',
      reason: 'lost phone',
      request: 'r1',
      details: { until: null },
    })
  })

  it('is bounded whatever it is told, and takes every text', () => {
    const details = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`k${n}`, 'x'.repeat(10_000)]))
    const act: ActName = 'policy.refused'
    const long = `${'é'.repeat(600)}`
    const text = entryText(1, 1, { act, by: { kind: 'server', id: long }, on: long, reason: long, details })
    expect(text.length).toBeLessThan(12_000)
    const odd = read({
      act,
      by: { kind: 'server' },
      reason: 'a\ud800b\0c',
      details: { big: 2 ** 60, half: 0.5, ['__proto__']: 'own' },
    })
    expect(odd['reason']).toBe('a\ufffdb\ufffdc')
    expect(Object.entries(odd['details'] as object)).toEqual(
      expect.arrayContaining([
        ['big', String(2 ** 60)],
        ['half', '0.5'],
        ['__proto__', 'own'],
      ]),
    )
  })
})
