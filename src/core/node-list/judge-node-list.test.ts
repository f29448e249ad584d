import { describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../json/value.js'
import { judgeNodeList, lifeOf, type HeldList, type ListVerdict, type Trust } from './judge-node-list.js'
import { nodeListDigest, signNodeList } from './sign-node-list.js'
import {
  authorityJson, DAY, ISSUED, keyFor, listJson, listSigner, memberJson, parsed, signedJson, signedList, trustIn, verify,
} from './testing.js' // prettier-ignore
import type { NodeList } from './types.js'

const anssi = listSigner('anssi')
const dinum = listSigner('dinum')
const sgdsn = listSigner('sgdsn')
const stranger = listSigner('stranger')
const three = [anssi, dinum, sgdsn]
const trust = trustIn(2, three)
const NOW = ISSUED + DAY

const draft = (more: JsonObject = {}): JsonObject =>
  listJson({ authorities: [authorityJson(1, 2, three)], members: [memberJson('a.example')], ...more })

const judge = (list: NodeList, more: { trust?: Trust; held?: HeldList; now?: number } = {}): ListVerdict =>
  judgeNodeList(list, { trust, now: NOW, verify, ...more })
const refusalOf = (verdict: ListVerdict): string => (verdict.ok ? 'taken' : verdict.refusal)
const heldOf = (list: NodeList): HeldList => ({
  circle: list.circle,
  sequence: list.sequence,
  digest: nodeListDigest(list),
})
/** What a node remembers of a list that it took. */
function taken(list: NodeList, more: Parameters<typeof judge>[1] = {}): { trust: Trust; held: HeldList } {
  const verdict = judge(list, more)
  if (!verdict.ok) throw new Error(verdict.reason)
  return { trust: verdict.trust, held: verdict.held }
}

describe('the signatures of a node list', () => {
  it('are enough where k of the n trusted signers have signed', () => {
    const verdict = judge(signedList(draft(), [anssi, sgdsn]))
    expect(verdict).toMatchObject({ ok: true, same: false, signedBy: ['anssi', 'sgdsn'] })
  })

  it.each([
    ['nobody', []],
    ['one, where two are needed', [anssi]],
    ['one who signs twice', [anssi, anssi]],
  ])('are too few from %s', (_who, signers) => {
    expect(refusalOf(judge(signedList(draft(), signers)))).toBe('unsigned')
  })

  it('count for nothing when the content is another afterwards', () => {
    const json = signedJson(draft(), three)
    for (const forged of [
      { ...json, members: [memberJson('a.example', { role: 'partner' })] },
      { ...json, members: [] },
      { ...json, sequence: 99 },
      { ...json, expires_at: ISSUED + 400 * DAY },
      { ...json, circle: 'other.example' },
      { ...json, authorities: [{ ...authorityJson(1, 1, three), signatures: {} }] },
    ]) {
      expect(refusalOf(judge(parsed(forged)))).toBe('unsigned')
    }
  })

  it('count for nothing from strangers, even those who name themselves as signers', () => {
    const own = draft({ authorities: [authorityJson(1, 1, [stranger])] })
    expect(refusalOf(judge(signedList(own, [stranger])))).toBe('unsigned')
    const impostors = three.map(({ name }) => listSigner(name, 'other'))
    expect(
      refusalOf(judge(signedList(draft({ authorities: [authorityJson(1, 2, impostors)] }), impostors))),
    ).toBe('unsigned')
  })

  it('count for nothing where the list asks for fewer than the node does', () => {
    const weak = draft({ authorities: [authorityJson(1, 1, [anssi])] })
    expect(refusalOf(judge(signedList(weak, [anssi])))).toBe('unsigned')
  })

  it('are not moved from one place to another', () => {
    const json = signedJson(draft(), three)
    const authority = (json['authorities'] as JsonObject[])[0]!
    // What was signed as an authority does not pass for the list, and the other way round.
    expect(refusalOf(judge(parsed({ ...json, signatures: authority['signatures']! })))).toBe('unsigned')
    const swapped = { ...authority, signatures: json['signatures']! }
    expect(refusalOf(judge(parsed({ ...json, authorities: [swapped] })))).toBe('unsigned')
  })

  it('may be more in number later on: it is the same list', () => {
    const first = signedList(draft(), [anssi, dinum])
    const second = signedList(first.json, [sgdsn])
    expect(judge(second, taken(first))).toMatchObject({ ok: true, same: true })
  })

  it('are given by signers alone, and only by one with the very key', () => {
    expect(signNodeList(parsed(draft()), stranger)).toBeUndefined()
    expect(signNodeList(parsed(draft()), { ...anssi, ...keyFor('anssi', 'b') })).toBeUndefined()
  })
})

describe('what a node has seen', () => {
  const first = signedList(draft({ sequence: 5 }), three)
  const second = signedList(draft({ sequence: 6, members: [] }), three)

  it('never goes back: an older list is refused, however well it is signed', () => {
    expect(refusalOf(judge(first, { held: heldOf(second) }))).toBe('older')
    expect(refusalOf(judge(second, { held: heldOf(first) }))).toBe('taken')
  })

  it('knows its own list again', () => {
    expect(judge(first, { held: heldOf(first) })).toMatchObject({ ok: true, same: true })
  })

  it('sees when two lists have one sequence number', () => {
    const fork = signedList(draft({ sequence: 5, members: [memberJson('evil.example')] }), three)
    expect(refusalOf(judge(fork, { held: heldOf(first) }))).toBe('forked')
  })

  it('is of one circle', () => {
    const other = signedList(draft({ sequence: 9, circle: 'other.example' }), three)
    expect(refusalOf(judge(other, { held: heldOf(first) }))).toBe('other-circle')
  })
})

describe('the dates of a node list', () => {
  const list = signedList(draft(), three)
  const end = ISSUED + 90 * DAY

  it('make it count when it is issued, and until it runs out', () => {
    expect(refusalOf(judge(list, { now: ISSUED - 3_600_000 }))).toBe('not-yet-valid')
    expect(refusalOf(judge(list, { now: ISSUED - 60_000 }))).toBe('taken')
    expect(refusalOf(judge(list, { now: end - 1 }))).toBe('taken')
    expect(refusalOf(judge(list, { now: end }))).toBe('expired')
  })

  it('do not take away the list that is held', () => {
    expect(judge(list, { now: end + DAY, held: heldOf(list) })).toMatchObject({ ok: true, same: true })
  })

  it('give it four ages', () => {
    const periods = { warnMs: 14 * DAY, graceMs: 7 * DAY }
    const age = (now: number): string => lifeOf(list, now, periods)
    expect(
      [end - 14 * DAY - 1, end - 14 * DAY, end - 1, end, end + 7 * DAY - 1, end + 7 * DAY].map(age),
    ).toEqual(['current', 'expiring', 'expiring', 'grace', 'grace', 'frozen'])
  })
})

describe('a rotation of signers', () => {
  const next = [dinum, sgdsn, listSigner('cnil')]
  const first = signedJson(draft(), three)
  const firstAuthority = (first['authorities'] as JsonObject[])[0]!
  const rotated = (sequence = 2): JsonObject =>
    draft({ sequence, authorities: [firstAuthority, authorityJson(2, 2, next)] })
  const before = taken(parsed(first))

  it('counts when enough of the old and of the new signers have signed', () => {
    const verdict = judge(signedList(rotated(), [dinum, sgdsn]), before)
    expect(verdict).toMatchObject({ ok: true, trust: { generation: 2, threshold: 2 } })
  })

  it.each([
    ['the new ones alone', [next[2]!, dinum]],
    ['the old ones alone', [anssi, dinum]],
  ])('does not count with enough of %s', (_who, signers) => {
    expect(refusalOf(judge(signedList(rotated(), signers), before))).toBe('unsigned')
  })

  it('is found by a node that knows the first signers only, and by one that was away for several', () => {
    const second = signedJson(rotated(), [dinum, sgdsn])
    const fresh = [listSigner('x'), listSigner('y')]
    const third = signedList(
      {
        ...rotated(9),
        authorities: [...(second['authorities'] as JsonObject[]), authorityJson(3, 2, fresh)],
      },
      [...next, ...fresh],
    )
    expect(refusalOf(judge(third))).toBe('taken')
    expect(judge(third, before)).toMatchObject({ ok: true, trust: { generation: 3 } })
  })

  it('leaves the old signers without a say', () => {
    const after = taken(signedList(rotated(), [dinum, sgdsn]), before)
    const old = signedList(draft({ sequence: 3 }), three)
    expect(refusalOf(judge(old, after))).toBe('rotation')
    const other = signedList(
      draft({ sequence: 3, authorities: [firstAuthority, authorityJson(2, 2, three)] }),
      three,
    )
    expect(refusalOf(judge(other, after))).toBe('rotation')
  })

  it('is refused where a step of it is missing', () => {
    const gap = signedList(draft({ sequence: 3, authorities: [authorityJson(3, 2, next)] }), next)
    expect(refusalOf(judge(gap, before))).toBe('rotation')
  })

  it('may leave out what came before the signers that a node knows', () => {
    const second = signedJson(rotated(), [dinum, sgdsn])
    const short = { ...second, authorities: [(second['authorities'] as JsonObject[])[1]!] }
    // The list names its authorities, so it is signed anew.
    expect(refusalOf(judge(signedList(short, [dinum, sgdsn]), before))).toBe('taken')
  })

  it('of one circle does not pass for that of another', () => {
    const other = { ...rotated(), circle: 'other.example' }
    const signed = signedJson(rotated(), [anssi, dinum, sgdsn])
    const moved = signedList({ ...other, authorities: signed['authorities']! }, [])
    const ofList = signNodeList(moved, next[2]!)!
    expect(refusalOf(judge(parsed(ofList), { trust: before.trust }))).toBe('unsigned')
  })
})
