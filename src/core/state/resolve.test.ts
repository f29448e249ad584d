import { describe, expect, it } from '@jest/globals'
import type { RoomEvent } from '../event/types.js'
import { RawNumber, type JsonObject } from '../json/value.js'
import { ALL_VERSIONS, rulesOf, testEvent, versions } from '../testing.js'
import type { StateMap } from './conflicted.js'
import { mainlineSort } from './mainline.js'
import { isPowerEvent } from './power-sort.js'
import { resolve } from './resolve.js'
import { stateKey } from './state-key.js'
import { ALICE, BOB, EVE, start, Story, withAlice, ZARA, type Given } from './testing-story.js'

describe.each(ALL_VERSIONS)('state resolution of version $id', (rules) => {
  it('leaves alone what nobody disputes', () => {
    const { story, room } = start(rules.id)
    expect(story.resolve(room, room)).toEqual(story.readable(room))
    expect(story.resolve(room)).toEqual(story.readable(room))
  })

  it('keeps independent changes of both sides', () => {
    const { story, room } = start(rules.id)
    const left = story.add(room, 'topic', 'm.room.topic', '')
    const right = story.add(room, 'name', 'm.room.name', '', { sender: BOB })
    expect(story.resolve(left, right)).toMatchObject({ topic: 'topic', name: 'name' })
  })

  it('takes of two topics the later one', () => {
    const { story, room } = start(rules.id)
    const left = story.add(room, 'topic1', 'm.room.topic', '')
    const right = story.add(room, 'topic2', 'm.room.topic', '', { sender: BOB })
    expect(story.resolve(left, right)).toMatchObject({ topic: 'topic2' })
  })

  it('lets a change of levels stand against a topic that it forbids', () => {
    const { story, room } = start(rules.id)
    const before = story.add(room, 'topic0', 'm.room.topic', '')
    const left = story.levels(before, 'demoted', withAlice(rules, { [BOB]: 0 }))
    const right = story.add(before, 'topic1', 'm.room.topic', '', { sender: BOB })
    expect(story.resolve(left, right)).toMatchObject({ power_levels: 'demoted', topic: 'topic0' })
  })

  it('finds the levels of one side where the other could not have set its own', () => {
    const { story, room } = start(rules.id)
    const left = story.levels(room, 'demoted', withAlice(rules, { [BOB]: 0 }))
    const right = story.levels(room, 'raised', withAlice(rules, { [BOB]: 50, [EVE]: 50 }), { sender: BOB })
    const expected = rules.stateResolution === 'v1' ? 'demoted' : 'demoted'
    expect(story.resolve(left, right)).toMatchObject({ power_levels: expected })
  })
})

describe.each(versions(2))('state resolution since version 2 (here $id)', (rules) => {
  it('lets a ban stand against what the banned user did meanwhile', () => {
    const { story, room } = start(rules.id)
    const banned = story.member(room, 'ban', BOB, 'ban', { sender: ALICE })
    const busy = story.add(story.add(room, 'topic', 'm.room.topic', '', { sender: BOB }), 'x', 'x', '', {
      sender: BOB,
    })
    const result = story.resolve(banned, busy)
    expect(result).toMatchObject({ 'member|bob': 'ban' })
    expect(result).not.toHaveProperty('topic')
    expect(result).not.toHaveProperty('x')
  })

  it('lets a ban stand against a re-join that does not know of it', () => {
    const { story, room } = start(rules.id)
    const banned = story.member(room, 'ban', EVE, 'ban', { sender: BOB })
    const renamed = story.member(room, 'renamed', EVE, 'join', { content: { displayname: 'E' } })
    expect(story.resolve(banned, renamed)).toMatchObject({ 'member|eve': 'ban' })
  })

  it('lets the more powerful win where two ban each other', () => {
    const { story, room } = start(rules.id)
    const both = story.levels(room, 'levels2', withAlice(rules, { [BOB]: 60, [EVE]: 50 }))
    const left = story.member(both, 'banEve', EVE, 'ban', { sender: BOB, ts: 99 })
    const right = story.member(both, 'kickBob', BOB, 'leave', { sender: EVE, ts: 50 })
    expect(story.resolve(left, right)).toMatchObject({ 'member|eve': 'banEve', 'member|bob': 'bob' })
  })

  it('closes the room to a join that came while the rules changed', () => {
    const { story, room } = start(rules.id)
    const closed = story.add(room, 'closed', 'm.room.join_rules', '', { content: { join_rule: 'invite' } })
    const joined = story.member(room, 'joined', '@new:n.example', 'join')
    const result = story.resolve(closed, joined)
    expect(result['join_rules']).toBe('closed')
    expect(result).not.toHaveProperty('member|new')
  })

  it('does not let a demoted user strike back from an old branch', () => {
    const { story, room } = start(rules.id)
    const demoted = story.levels(room, 'demoted', withAlice(rules, {}))
    const revenge = story.levels(room, 'revenge', withAlice(rules, { [BOB]: 50, [EVE]: 50 }), {
      sender: BOB,
      ts: 0,
    })
    const later = story.add(revenge, 'topic', 'm.room.topic', '', { sender: EVE })
    const result = story.resolve(demoted, later)
    expect(result['power_levels']).toBe('demoted')
    expect(result).not.toHaveProperty('topic')
  })

  it('orders topics by the levels that they were sent under before their time', () => {
    const { story, room } = start(rules.id)
    const first = story.add(room, 'old', 'm.room.topic', '', { ts: 1_000 })
    const raised = story.levels(room, 'raised', withAlice(rules, { [BOB]: 51 }))
    const second = story.add(raised, 'new', 'm.room.topic', '', { ts: 10 })
    expect(story.resolve(first, second)).toMatchObject({ topic: 'new', power_levels: 'raised' })
  })

  it('replays what only one side built on, though it is in no state today', () => {
    const { story, room } = start(rules.id)
    const raised = story.levels(room, 'raised', withAlice(rules, { [BOB]: 50, [EVE]: 50 }))
    const byEve = story.levels(raised, 'byEve', withAlice(rules, { [BOB]: 50, [EVE]: 50, [ZARA]: 50 }), {
      sender: EVE,
    })
    // Eve had the power from levels that neither side has any more.
    expect(story.resolve(byEve, room)).toMatchObject({ power_levels: 'byEve' })
  })

  it('never uses rejected events, neither as state nor to allow others', () => {
    const { story, room } = start(rules.id)
    const forged = story.levels(room, 'forged', withAlice(rules, { [EVE]: 100, [BOB]: 50 }), { sender: EVE })
    const gain = story.add(forged, 'gain', 'm.room.topic', '', { sender: EVE })
    story.rejected.add('$forged')
    const other = story.add(room, 'other', 'm.room.topic', '', { ts: 1 })
    const result = story.resolve(new Map([...gain, [stateKey('m.room.power_levels', ''), '$levels']]), other)
    expect(result).toMatchObject({ power_levels: 'levels', topic: 'other' })
  })

  it('skips a rejected event that is itself in conflict', () => {
    const { story, room } = start(rules.id)
    const left = story.add(room, 'bad', 'm.room.topic', '', { ts: 500 })
    const right = story.add(room, 'good', 'm.room.topic', '')
    story.rejected.add('$bad')
    expect(story.resolve(left, right)).toMatchObject({ topic: 'good' })
  })

  it('passes over events that it cannot get', () => {
    const { story, room } = start(rules.id)
    const left = new Map([...room, [stateKey('m.room.topic', ''), '$unknown']])
    const right = story.add(room, 'known', 'm.room.topic', '')
    expect(story.resolve(left, right)).toMatchObject({ topic: 'known' })
  })

  it('takes an event’s own auth event where the state has none for the key', () => {
    const { story, room } = start(rules.id)
    const invited = story.member(room, 'invite', '@new:n.example', 'invite', { sender: ALICE })
    const closed = story.add(invited, 'closed', 'm.room.join_rules', '', { content: { join_rule: 'invite' } })
    const joined = story.member(closed, 'joined', '@new:n.example', 'join')
    expect(story.resolve(joined, closed)).toMatchObject({ 'member|new': 'joined', join_rules: 'closed' })
    expect(story.resolve(joined, room)).toMatchObject({ 'member|new': 'joined' })
  })
})

describe('version 1', () => {
  it('walks up from the oldest levels as long as each allows the next', () => {
    const { story, room } = start(1)
    const left = story.levels(room, 'l1', { [ALICE]: 100, [BOB]: 50, [EVE]: 10 }, { depth: 20 })
    const right = story.levels(room, 'l2', { [ALICE]: 100, [BOB]: 100 }, { depth: 30 })
    const far = story.levels(room, 'l3', { [ALICE]: 100, [BOB]: 100, [EVE]: 100 }, { depth: 40, sender: BOB })
    expect(story.resolve(left, right, far)).toMatchObject({ power_levels: 'l3' })
  })
  it('stops at the first levels that are refused', () => {
    const { story, room } = start(1)
    const left = story.levels(room, 'l1', { [ALICE]: 100, [BOB]: 0 }, { depth: 20 })
    const right = story.levels(room, 'l2', { [ALICE]: 100, [BOB]: 50, [EVE]: 50 }, { depth: 30, sender: BOB })
    const far = story.levels(room, 'l3', { [ALICE]: 100, [EVE]: 99 }, { depth: 40 })
    expect(story.resolve(left, right, far)).toMatchObject({ power_levels: 'l1' })
  })
  it('resolves join rules under the resolved levels, and members under both', () => {
    const { story, room } = start(1)
    const left = story.add(room, 'open', 'm.room.join_rules', '', {
      content: { join_rule: 'public' },
      depth: 20,
    })
    const right = story.add(room, 'closed', 'm.room.join_rules', '', {
      content: { join_rule: 'invite' },
      depth: 30,
    })
    const newcomer = '@new:n.example'
    const l = story.member(left, 'left', newcomer, 'leave', { depth: 21, sender: newcomer })
    const r = story.member(right, 'in', newcomer, 'join', { depth: 31 })
    expect(story.resolve(l, r)).toMatchObject({ join_rules: 'closed', 'member|new': 'left' })
  })
  it('stops at the first join rules that are refused, too', () => {
    const { story, room } = start(1)
    const rules = (name: string, depth: number, sender: string): StateMap =>
      story.add(room, name, 'm.room.join_rules', '', { content: { join_rule: 'invite' }, depth, sender })
    const states = [rules('a', 20, ALICE), rules('b', 21, EVE), rules('c', 22, ALICE)]
    expect(story.resolve(...states)).toMatchObject({ join_rules: 'a' })
  })
  it('does not let one member’s resolution see another’s', () => {
    const { story, room } = start(1)
    // Eve kicks Bob on one side while she is kicked on the other: neither membership is settled for the other.
    const kicked = story.member(room, 'kickEve', EVE, 'leave', { sender: ALICE, depth: 30 })
    const renamed = story.member(room, 'eve2', EVE, 'join', { depth: 20 })
    const left = story.member(kicked, 'bob2', BOB, 'join', { depth: 20 })
    const right = story.member(renamed, 'bob3', BOB, 'leave', { sender: ALICE, depth: 30 })
    expect(story.resolve(left, right)).toMatchObject({ 'member|eve': 'kickEve', 'member|bob': 'bob3' })
  })
  it('takes the deepest allowed event of any other kind, of equals the one with the lowest SHA-1', () => {
    const { story, room } = start(1)
    const a = story.add(room, 'a', 'x', '', { depth: 20 })
    const b = story.add(room, 'b', 'x', '', { depth: 21, sender: EVE })
    const c = story.add(room, 'c', 'x', '', { depth: 19 })
    expect(story.resolve(a, b, c)).toMatchObject({ x: 'a' })
    const p = story.add(room, 'p', 'x', '', { depth: 50 })
    const q = story.add(room, 'q', 'x', '', { depth: 50 })
    expect(story.resolve(p, q)).toMatchObject({ x: 'q' })
    expect(story.resolve(q, p)).toMatchObject({ x: 'q' })
  })
  it('takes an event of any other kind although an older one is refused', () => {
    const { story, room } = start(1)
    const a = story.add(room, 'a', 'x', '', { depth: 19 })
    const b = story.add(room, 'b', 'x', '', { depth: 20, sender: EVE })
    const c = story.add(room, 'c', 'x', '', { depth: 21 })
    expect(story.resolve(a, b, c)).toMatchObject({ x: 'c' })
  })
  it('compares the SHA-1 of ids byte by byte, not as text', () => {
    const { story, room } = start(1)
    // The hashes begin 7ab991cd and 7ae9bf32: they differ in bytes that are no text.
    const a = story.add(room, 'e0', 'x', '', { depth: 50 })
    const b = story.add(room, 'e157', 'x', '', { depth: 50 })
    expect(story.resolve(a, b)).toMatchObject({ x: 'e0' })
  })
  it('takes the only event known for a key at once, so that the levels can build on it', () => {
    const { story, room } = start(1)
    const key = stateKey('m.room.member', BOB)
    const left = story.levels(room, 'l1', { [ALICE]: 100, [BOB]: 50 }, { depth: 20 })
    const right = story.levels(room, 'l2', { [ALICE]: 100, [BOB]: 50, [EVE]: 10 }, { depth: 30, sender: BOB })
    expect(story.resolve(new Map([...left, [key, '$unknown']]), right)).toMatchObject({
      'member|bob': 'bob',
      power_levels: 'l2',
    })
  })
  it('keeps the oldest of other events where none is allowed', () => {
    const { story, room } = start(1)
    const a = story.add(room, 'a', 'x', '', { depth: 20, sender: EVE })
    const b = story.add(room, 'b', 'x', '', { depth: 21, sender: EVE })
    expect(story.resolve(a, b)).toMatchObject({ x: 'a' })
  })
  it('treats power levels under a state key, and members, by their own rules', () => {
    const { story, room } = start(1)
    const a = story.add(room, 'a', 'm.room.power_levels', 'key', { depth: 20 })
    const b = story.add(room, 'b', 'm.room.power_levels', 'key', { depth: 21, sender: EVE })
    const c = story.add(room, 'c', 'm.room.power_levels', 'key', { depth: 22 })
    expect(story.resolve(a, b, c)).toMatchObject({ 'power_levels|ey': 'c' })
  })
  it('counts depths beyond 2^53 exactly', () => {
    const { story, room } = start(1)
    const huge = (digits: string): Given => ({
      depth: Number(digits),
      more: { depth: new RawNumber(digits) },
    })
    const a = story.add(room, 'a', 'x', '', huge('9007199254740993'))
    const b = story.add(room, 'b', 'x', '', huge('9007199254740992'))
    expect(story.resolve(a, b)).toMatchObject({ x: 'a' })
    const c = story.add(room, 'c', 'x', '', huge('9007199254740994'))
    expect(story.resolve(a, c)).toMatchObject({ x: 'c' })
  })
  it('drops a key whose events are all unknown, and takes the known one alone', () => {
    const { story, room } = start(1)
    const key = stateKey('x', '')
    expect(story.resolve(new Map([...room, [key, '$u']]), new Map([...room, [key, '$v']]))).toEqual(
      story.readable(room),
    )
    const known = story.add(room, 'a', 'x', '', { sender: EVE })
    expect(story.resolve(known, new Map([...room, [key, '$v']]))).toMatchObject({ x: 'a' })
  })
})

describe('power events', () => {
  const rules = rulesOf(11)
  it.each<[string, string | undefined, JsonObject, string, boolean]>([
    ['m.room.power_levels', '', {}, ALICE, true],
    ['m.room.power_levels', 'x', {}, ALICE, false],
    ['m.room.power_levels', undefined, {}, ALICE, false],
    ['m.room.join_rules', '', {}, ALICE, true],
    ['m.room.join_rules', 'x', {}, ALICE, false],
    ['m.room.create', '', {}, ALICE, true],
    ['m.room.create', 'x', {}, ALICE, false],
    ['m.room.member', BOB, { membership: 'leave' }, ALICE, true],
    ['m.room.member', BOB, { membership: 'ban' }, ALICE, true],
    ['m.room.member', BOB, { membership: 'invite' }, ALICE, false],
    ['m.room.member', BOB, { membership: 'join' }, ALICE, false],
    ['m.room.member', ALICE, { membership: 'leave' }, ALICE, false],
    ['m.room.member', ALICE, { membership: 'ban' }, ALICE, false],
    ['m.room.member', undefined, { membership: 'ban' }, ALICE, false],
    ['m.room.topic', '', {}, ALICE, false],
  ])('%s with state key %j and %j: %s', (type, key, content, sender, expected) => {
    expect(isPowerEvent(testEvent(rules, { type, stateKey: key, content, sender }))).toBe(expected)
  })
})

describe('the reverse topological power ordering', () => {
  it('puts auth events first, then the more powerful, the older, the smaller id', () => {
    const { story, room } = start(11)
    const all = story.levels(room, 'base', { [ALICE]: 100, [BOB]: 50, [EVE]: 50 })
    story.levels(all, 'byBob', {}, { sender: BOB, ts: 10 })
    story.levels(all, 'byAlice', {}, { ts: 20 })
    story.levels(all, 'byEve', {}, { sender: EVE, ts: 5 })
    story.levels(all, 'byEve2', {}, { sender: EVE, ts: 10 })
    expect(story.sorted('byBob', 'byAlice', 'byEve', 'byEve2', 'base')).toEqual([
      'base',
      'byAlice',
      'byEve',
      'byBob',
      'byEve2',
    ])
  })
  it('puts an event after all of its auth events, not after the first of them', () => {
    const { story, room } = start(11)
    story.levels(room, 'a', {})
    story.add(room, 'b', 'm.room.join_rules', '', { sender: EVE, ts: 500 })
    story.levels(room, 'c', {}, { auth: ['create', 'a', 'b'], ts: 1 })
    expect(story.sorted('c', 'b', 'a')).toEqual(['a', 'b', 'c'])
  })
  it('takes along the auth events of power events, and nothing else', () => {
    const { story, room } = start(11)
    const named = story.add(room, 'topic', 'm.room.topic', '')
    const joined = story.member(named, 'zara2', ZARA, 'join')
    story.member(joined, 'kick', ZARA, 'leave', { sender: ALICE })
    expect(story.sorted('topic', 'zara2', 'kick', 'eve')).toEqual(['zara2', 'kick'])
  })
  it('gives the creator 100 while there are no levels, and others nothing', () => {
    for (const [version, first] of [
      [10, 'z'],
      [11, 'z'],
      [12, 'z'],
    ] as const) {
      const story = new Story(version)
      let room: StateMap = story.add(new Map(), 'create', 'm.room.create', '', {
        content: version === 10 ? { creator: ALICE } : {},
      })
      room = story.member(room, 'alice', ALICE, 'join')
      story.add(room, 'z', 'm.room.join_rules', '', { ts: 9 })
      story.add(room, 'b', 'm.room.join_rules', '', { ts: 1, sender: BOB })
      expect(story.sorted('z', 'b')).toEqual([first, 'b'])
    }
  })
  it('gives creators of version 12 more than any level', () => {
    const { story, room } = start(12)
    const high = story.levels(room, 'high', { [BOB]: 2 ** 53 - 1 })
    story.levels(high, 'b', {}, { sender: BOB, ts: 1 })
    story.levels(high, 'a', {}, { ts: 9 })
    expect(story.sorted('a', 'b')).toEqual(['a', 'b'])
  })
  it('reads the sender’s level from the power levels among the auth events, whatever else is there', () => {
    const { story, room } = start(11)
    const all = story.levels(room, 'base', { [ALICE]: 100, [BOB]: 50, [EVE]: 10 })
    story.levels(all, 'byEve', {}, { sender: EVE, ts: 1 })
    for (const auth of [
      ['create', 'base', 'bob'],
      ['create', 'base', 'bob', 'rules'],
      ['rules', 'bob', 'base', 'create'],
      ['nowhere', 'create', 'base', 'bob'],
    ]) {
      story.levels(all, 'byBob', {}, { sender: BOB, ts: 10, auth })
      expect(story.sorted('byBob', 'byEve')).toEqual(['byBob', 'byEve'])
    }
  })
  it('gives nobody a level where the auth events are missing', () => {
    const { story, room } = start(11)
    story.levels(room, 'orphan', {}, { auth: [], ts: 1 })
    story.levels(room, 'proper', {}, { ts: 9 })
    expect(story.sorted('orphan', 'proper')).toEqual(['proper', 'orphan'])
  })
  it('reads levels of auth events only where they are state with an empty key', () => {
    const { story, room } = start(11)
    story.add(room, 'odd', 'm.room.power_levels', 'x', { content: { users: { [BOB]: 500 } } })
    story.levels(room, 'b', {}, { sender: BOB, auth: ['create', 'levels', 'odd'], ts: 1 })
    story.levels(room, 'a', {}, { ts: 9 })
    expect(story.sorted('a', 'b')).toEqual(['a', 'b'])
  })
})

describe('the mainline ordering', () => {
  it('goes by the place on the mainline, then by time, then by id', () => {
    const { story, room } = start(11)
    const p1 = story.levels(room, 'p1', { [ALICE]: 100 })
    const p2 = story.levels(p1, 'p2', { [ALICE]: 100 })
    const side = story.levels(p1, 'side', { [ALICE]: 100 })
    const spec: readonly (readonly [string, StateMap, number])[] = [
      ['onP2', p2, 1], ['onSide', side, 9], ['onP1b', p1, 8], ['onP1a', p1, 8], ['onP1', p1, 3], ['onLevels', room, 99],
    ] // prettier-ignore
    for (const [name, state, ts] of spec) story.add(state, name, 'x', name, { ts })
    story.add(room, 'off', 'x', 'off', { auth: ['create'], ts: 1000 })
    const get = (id: string): RoomEvent | undefined => story.events.get(id)
    const sort = (levels: string | undefined): string[] =>
      mainlineSort(
        [...spec.map(([name]) => name), 'off'].map((name) => get(`$${name}`) as RoomEvent),
        levels === undefined ? undefined : get(levels),
        get,
      ).map((event) => event.id.slice(1))
    expect(sort('$p2')).toEqual(['off', 'onLevels', 'onP1', 'onP1a', 'onP1b', 'onSide', 'onP2'])
    expect(sort(undefined)).toEqual(['onP2', 'onP1', 'onP1a', 'onP1b', 'onSide', 'onLevels', 'off'])
  })
  it('follows no power levels under a state key', () => {
    const { story, room } = start(11)
    const next = story.levels(room, 'next', { [ALICE]: 100 })
    story.add(next, 'odd', 'm.room.power_levels', 'key', {})
    // An auth event that is not at hand is passed over.
    story.add(room, 'early', 'x', 'early', { auth: ['create', 'nowhere', 'odd', 'levels'], ts: 9 })
    story.add(next, 'late', 'x', 'late', { ts: 1 })
    const get = (id: string): RoomEvent | undefined => story.events.get(id)
    const order = mainlineSort([get('$late')!, get('$early')!], get('$next'), get)
    expect(order.map((event) => event.id)).toEqual(['$early', '$late'])
  })
  it('ends where power levels of versions 1 and 2 name each other in a circle', () => {
    const story = new Story(2)
    story.levels(new Map(), 'a', {}, { auth: ['b'] })
    story.levels(new Map(), 'b', {}, { auth: ['a'] })
    story.levels(new Map(), 'c', {}, { auth: ['d'] })
    story.levels(new Map(), 'd', {}, { auth: ['c'] })
    story.add(new Map(), 'x', 'x', '', { auth: ['c'] })
    const get = (id: string): RoomEvent | undefined => story.events.get(id)
    expect(mainlineSort([get('$x')!], get('$a'), get)).toHaveLength(1)
  })
})

// What version 12 mends. The problems are described in MSC4297.
describe('MSC4297', () => {
  /**
   * Problem A: the unconflicted state, taken as the beginning, refuses old events that were right at their time,
   * so that old state comes back.
   */
  it('problem A: state that all sides agree on today does not judge events of yesterday', () => {
    const outcome = (version: number): Readonly<Record<string, string>> => {
      const { story, room } = start(version)
      // Bob turns the room from public to invite while he is a moderator, later leaves, and all agree that he has left.
      const closed = story.add(room, 'closed', 'm.room.join_rules', '', {
        sender: BOB,
        content: { join_rule: 'invite' },
      })
      const left = story.member(closed, 'bobLeft', BOB, 'leave')
      // The other side has join rules of Alice's that Bob had not seen, and agrees that he left.
      story.add(room, 'alices', 'm.room.join_rules', '', { content: { join_rule: 'public' } })
      const other = new Map([...left, [stateKey('m.room.join_rules', ''), '$alices']])
      return story.resolve(left, other)
    }
    expect(outcome(11)['join_rules']).toBe('alices')
    expect(outcome(12)['join_rules']).toBe('closed')
  })

  /**
   * Problem B: events between two conflicting ones are in all auth chains, so that version 2 never replays them; what
   * depends on them is refused, and an older state comes back.
   */
  it('problem B: what lies between conflicting events is replayed', () => {
    const outcome = (version: number): Readonly<Record<string, string>> => {
      const { story, room } = start(version)
      const promoted = story.levels(room, 'p2', withAlice(story.rules, { [BOB]: 50, [EVE]: 50 }))
      const handed = story.levels(
        promoted,
        'p3',
        withAlice(story.rules, { [BOB]: 50, [EVE]: 50, [ZARA]: 50 }),
        { sender: EVE },
      )
      const last = story.levels(handed, 'p4', withAlice(story.rules, { [BOB]: 50, [EVE]: 50, [ZARA]: 49 }), {
        sender: ZARA,
      })
      const topic = story.add(last, 'topic', 'm.room.topic', '')
      // One side has fallen back to the first levels; both have something that builds on the last ones.
      const key = stateKey('m.room.power_levels', '')
      const fallen = new Map([...topic, [key, '$levels']])
      return story.resolve(last, fallen)
    }
    expect(outcome(11)['power_levels']).toBe('levels')
    expect(outcome(12)).toMatchObject({ power_levels: 'p4', topic: 'topic' })
  })
})

describe('resolve', () => {
  it('answers only what it decided, not what nobody disputes', () => {
    const { story, room } = start(12)
    const left = story.add(room, 'topic1', 'm.room.topic', '')
    const right = story.add(room, 'topic2', 'm.room.topic', '')
    const key = stateKey('m.room.topic', '')
    const context = {
      rules: story.rules,
      event: (id: string) => story.events.get(id),
      isRejected: () => false,
      verifySignature: () => false,
      unconflicted: (wanted: string) => room.get(wanted),
    }
    const conflicted = new Map([[key, [left.get(key)!, right.get(key)!]]])
    // Even where the difference holds undisputed events, they are not part of the answer.
    const result = resolve({ ...context, conflicted, authDifference: ['$levels', '$bob', '$nowhere'] })
    expect([...result]).toEqual([[key, '$topic2']])
    // Nor are messages, which have no key.
    const auth = ['$levels', '$alice']
    const message = testEvent(story.rules, { id: '$message', sender: ALICE, roomId: '!create', auth })
    story.events.set(message.id, message)
    expect([...resolve({ ...context, conflicted, authDifference: ['$message'] })]).toEqual([[key, '$topic2']])
    // Without a conflict there is nothing to decide, whatever else is named.
    for (const authDifference of [['$levels'], ['$topic1']]) {
      expect(resolve({ ...context, conflicted: new Map(), authDifference }).size).toBe(0)
    }
  })
})

describe('what is replayed', () => {
  it('stands before the undisputed state while the conflict is resolved', () => {
    const { story, room } = start(11)
    const demoted = story.levels(room, 'demoted', { [ALICE]: 100 })
    story.add(room, 'byAlice', 'm.room.topic', '', { ts: 50 })
    story.add(room, 'byBob', 'm.room.topic', '', { sender: BOB, ts: 60 })
    const winner = (authDifference: readonly string[]): string | undefined =>
      resolve({
        rules: story.rules,
        conflicted: new Map([[stateKey('m.room.topic', ''), ['$byAlice', '$byBob']]]),
        unconflicted: (key) => demoted.get(key),
        authDifference,
        event: (id) => story.events.get(id),
        isRejected: () => false,
        verifySignature: () => false,
      }).get(stateKey('m.room.topic', ''))
    expect(winner([])).toBe('$byAlice')
    expect(winner(['$levels'])).toBe('$byBob')
  })
})
