import { describe, expect, it } from '@jest/globals'
import { RawNumber, type Json, type JsonObject } from '../json/value.js'
import { defaultRules, rulesOf } from './defaults.js'
import { ANYBODY, evaluate, matchesWords, outcomeOf, type PushSubject } from './evaluate.js'
import { NO_STORED_RULES, type Condition, type PushRule, type RuleKind, type StoredRules } from './rules.js'
import { growth } from '../testing-growth.js'

const ME = '@me:x'
const subject = (content: JsonObject, more: Partial<PushSubject> = {}): PushSubject => ({
  type: 'm.room.message',
  sender: '@you:x',
  roomId: '!r:x',
  stateKey: undefined,
  content,
  joinedMembers: 3,
  senderLevel: 0,
  notificationLevel: () => 50,
  ...more,
})
const rule = (more: Partial<PushRule>): PushRule => ({
  rule_id: 'mine',
  default: false,
  enabled: true,
  actions: ['notify', { set_tweak: 'highlight' }],
  ...more,
})
const withOwn = (kind: RuleKind, ...rules: PushRule[]): StoredRules => ({
  ...NO_STORED_RULES,
  own: { ...NO_STORED_RULES.own, [kind]: rules },
})
const judge = (event: PushSubject, stored: StoredRules = NO_STORED_RULES, name?: string) =>
  evaluate(rulesOf(ME, stored), event, { displayName: name })
/** Whether one condition holds: an override rule with it alone highlights. */
const holds = (condition: unknown, event: PushSubject, name?: string): boolean =>
  judge(event, withOwn('override', rule({ conditions: [condition as Condition] })), name).highlight

describe('the default rules', () => {
  it.each([
    ['a message', subject({ msgtype: 'm.text', body: 'x' }), true, false, undefined],
    ['a message among two', subject({ body: 'x' }, { joinedMembers: 2 }), true, false, 'default'],
    ['an encrypted one', subject({}, { type: 'm.room.encrypted' }), true, false, undefined],
    [
      'an encrypted one among two',
      subject({}, { type: 'm.room.encrypted', joinedMembers: 2 }),
      true,
      false,
      'default',
    ],
    ['a notice', subject({ msgtype: 'm.notice', body: 'x' }), false, false, undefined],
    ['a mention', subject({ body: 'x', 'm.mentions': { user_ids: [ME] } }), true, true, 'default'],
    [
      'a mention of another',
      subject({ body: 'x', 'm.mentions': { user_ids: ['@o:x'] } }),
      true,
      false,
      undefined,
    ],
    [
      'a room mention without power',
      subject({ body: 'x', 'm.mentions': { room: true } }),
      true,
      false,
      undefined,
    ],
    [
      'a room mention with power',
      subject({ body: 'x', 'm.mentions': { room: true } }, { senderLevel: 50 }),
      true,
      true,
      undefined,
    ],
    ['a reaction', subject({}, { type: 'm.reaction' }), false, false, undefined],
    ['an edit', subject({ body: 'x', 'm.relates_to': { rel_type: 'm.replace' } }), false, false, undefined],
    ['a call', subject({}, { type: 'm.call.invite' }), true, false, 'ring'],
    ['a topic', subject({}, { type: 'm.room.topic', stateKey: '' }), false, false, undefined],
    ['an upgrade', subject({}, { type: 'm.room.tombstone', stateKey: '' }), true, true, undefined],
    [
      'no upgrade: a message of that type',
      subject({}, { type: 'm.room.tombstone' }),
      false,
      false,
      undefined,
    ],
    [
      'an invite for me',
      subject({ membership: 'invite' }, { type: 'm.room.member', stateKey: ME }),
      true,
      false,
      'default',
    ],
    [
      'a join of another',
      subject({ membership: 'join' }, { type: 'm.room.member', stateKey: '@o:x' }),
      false,
      false,
      undefined,
    ],
  ])('%s', (_what, event, notify, highlight, sound) => {
    expect(judge(event)).toEqual({ notify, highlight, sound })
  })

  it('are all silent behind the master switch', () => {
    const stored = { ...NO_STORED_RULES, changed: { '.m.rule.master': { enabled: true } } }
    expect(judge(subject({ body: 'x' }), stored).notify).toBe(false)
  })

  it('keep their place around a user’s own', () => {
    const ids = rulesOf(ME, withOwn('override', rule({}))).override.map((item) => item.rule_id)
    expect(ids.slice(0, 3)).toEqual(['.m.rule.master', 'mine', '.m.rule.suppress_notices'])
    expect(defaultRules(ME, 'room')).toEqual({ before: [], after: [] })
  })

  it('take what the user changed of them', () => {
    const stored = { ...NO_STORED_RULES, changed: { '.m.rule.message': { actions: [] } } }
    expect(judge(subject({ body: 'x' }), stored).notify).toBe(false)
  })
})

describe('the kinds', () => {
  it('are asked in their order', () => {
    const stored: StoredRules = {
      ...NO_STORED_RULES,
      own: {
        override: [],
        content: [rule({ pattern: 'tea', actions: [] })],
        room: [rule({ rule_id: '!r:x' })],
        sender: [rule({ rule_id: '@you:x', actions: ['notify', { set_tweak: 'sound', value: 'bell' }] })],
        underride: [],
      },
    }
    expect(judge(subject({ body: 'time for tea' }), stored).notify).toBe(false)
    expect(judge(subject({ body: 'time' }), stored).highlight).toBe(true)
    expect(judge(subject({ body: 'time' }, { roomId: '!other:x' }), stored).sound).toBe('bell')
    expect(judge(subject({ body: 'x' }, { roomId: '!other:x', sender: '@o:x' }), stored)).toMatchObject({
      notify: true,
      highlight: false,
      sound: undefined,
    })
  })

  it('pass over rules that are switched off', () => {
    expect(
      judge(subject({ body: 'x' }), withOwn('room', rule({ rule_id: '!r:x', enabled: false }))).highlight,
    ).toBe(false)
  })

  it('do not look for words where there is no body', () => {
    const stored = withOwn('content', rule({ pattern: '*' }), rule({}))
    expect(judge(subject({ body: 1 }), stored).highlight).toBe(false)
    expect(judge(subject({ body: 'x' }), stored).highlight).toBe(true)
  })
})

describe('the conditions', () => {
  const message = subject({
    body: 'An Exciting triple-whammy',
    topic: 'Lunch plans',
    n: 5,
    yes: true,
    nothing: null,
    list: ['a', 1, true],
    big: new RawNumber('1.5'),
    deep: { 'dotted.key': { x: 'y' } },
  })
  it.each([
    ['a glob on a value', { kind: 'event_match', key: 'content.topic', pattern: 'lunc?*' }, true],
    ['a glob on the whole value', { kind: 'event_match', key: 'content.topic', pattern: 'lunch' }, false],
    ['a glob on the words of a body', { kind: 'event_match', key: 'content.body', pattern: 'ex*ple' }, true],
    ['a glob on a number', { kind: 'event_match', key: 'content.n', pattern: '*' }, false],
    ['a glob on what is not there', { kind: 'event_match', key: 'content.none', pattern: '*' }, false],
    ['a glob on the type', { kind: 'event_match', key: 'type', pattern: 'm.room.*' }, true],
    ['a glob on the sender', { kind: 'event_match', key: 'sender', pattern: '@you:*' }, true],
    ['a glob on the room', { kind: 'event_match', key: 'room_id', pattern: '!r:x' }, true],
    ['a glob on an absent state key', { kind: 'event_match', key: 'state_key', pattern: '*' }, false],
    ['a glob on another top-level key', { kind: 'event_match', key: 'hashes', pattern: '*' }, false],
    ['a glob below a string', { kind: 'event_match', key: 'type.x', pattern: '*' }, false],
    [
      'a glob on a dotted key',
      { kind: 'event_match', key: 'content.deep.dotted\\.key.x', pattern: 'Y' },
      true,
    ],
    ['a glob without a pattern', { kind: 'event_match', key: 'content.topic' }, false],
    ['an equal number', { kind: 'event_property_is', key: 'content.n', value: 5 }, true],
    ['an equal boolean', { kind: 'event_property_is', key: 'content.yes', value: true }, true],
    ['no cast', { kind: 'event_property_is', key: 'content.yes', value: 'true' }, false],
    ['null', { kind: 'event_property_is', key: 'content.nothing', value: null }, true],
    ['nothing against nothing', { kind: 'event_property_is', key: 'content.none' }, false],
    ['an object', { kind: 'event_property_is', key: 'content.deep', value: {} }, false],
    [
      'an exact number',
      { kind: 'event_property_is', key: 'content.big', value: message.content['big'] },
      false,
    ],
    ['an item', { kind: 'event_property_contains', key: 'content.list', value: 1 }, true],
    ['no such item', { kind: 'event_property_contains', key: 'content.list', value: '1' }, false],
    ['no list', { kind: 'event_property_contains', key: 'content.topic', value: 'L' }, false],
    ['exactly three members', { kind: 'room_member_count', is: '3' }, true],
    ['three members, said twice', { kind: 'room_member_count', is: '==3' }, true],
    ['fewer than three', { kind: 'room_member_count', is: '<3' }, false],
    ['more than two', { kind: 'room_member_count', is: '>2' }, true],
    ['at most three', { kind: 'room_member_count', is: '<=3' }, true],
    ['at least four', { kind: 'room_member_count', is: '>=4' }, false],
    ['a count that is none', { kind: 'room_member_count', is: 'three' }, false],
    ['a count that is no text', { kind: 'room_member_count', is: 3 }, false],
    ['too little power', { kind: 'sender_notification_permission', key: 'room' }, false],
    ['what nobody knows', { kind: 'moon_phase' }, false],
    ['a prototype’s key', { kind: 'event_match', key: 'content.constructor.name', pattern: '*' }, false],
  ])('%s', (_what, condition, expected) => {
    expect(holds(condition, message)).toBe(expected)
  })

  it.each([
    ['Bob', 'hello bob!', true],
    ['Bob', 'bobsleigh', false],
    ['Zoë*', 'ask zoë*, please', true],
    ['Zoë*', 'ask zoëx', false],
    ['Жан', 'привет, жан', true],
    ['Жан', 'жанна', false],
    ['', 'x', false],
    [undefined, 'x', false],
  ])('finds the display name %j in %j: %j', (name, body, expected) => {
    expect(holds({ kind: 'contains_display_name' }, subject({ body }), name)).toBe(expected)
  })
})

describe('outcomeOf', () => {
  it.each([
    [['dont_notify'], { notify: false, highlight: false, sound: undefined }],
    [
      ['notify', { set_tweak: 'highlight', value: false }],
      { notify: true, highlight: false, sound: undefined },
    ],
    [[{ set_tweak: 'highlight' }], { notify: false, highlight: false, sound: undefined }],
    [['notify', { set_tweak: 'sound', value: 1 }], { notify: true, highlight: false, sound: undefined }],
  ])('%j', (actions, expected) => {
    expect(outcomeOf(actions as never)).toEqual(expected)
  })
})

describe('hostile rules', () => {
  it.each([
    ['*a*a*a…b', '*a'.repeat(500) + 'b'],
    ['a?a?…b', 'a?'.repeat(500) + 'b'],
    ['aaa…b', 'a'.repeat(1000) + 'b'],
  ])('with the pattern %s take time in proportion to the message', (_name, pattern) => {
    const bodies = (size: number): string[] => [
      'a'.repeat(size),
      'a '.repeat(size / 2),
      `${'a'.repeat(size - 2)} b`,
    ]
    const small = bodies(16_384)
    for (const [index, body] of bodies(65_536).entries()) {
      const ratio = growth(
        () => matchesWords(pattern, small[index]!),
        () => matchesWords(pattern, body),
      )
      expect(ratio).toBeLessThan(10)
    }
  })

  it('take time in proportion to their number, and a message of 60,000 characters no more than one of 1,000', () => {
    const many = Array.from({ length: 10_000 }, (_, i) =>
      rule({ rule_id: `r${i}`, pattern: i % 2 === 0 ? `*a*b${i}*` : `a?c${i}` }),
    )
    const all = rulesOf(ME, withOwn('content', ...many))
    const some = rulesOf(ME, withOwn('content', ...many.slice(0, 2_500)))
    const judged = (rules: typeof all, body: string) => () => evaluate(rules, subject({ body }), ANYBODY)
    for (const body of ['a'.repeat(60_000), 'a b '.repeat(200)]) {
      expect(growth(judged(some, body), judged(all, body))).toBeLessThan(10)
    }
    expect(growth(judged(all, 'a'.repeat(1_000)), judged(all, 'a'.repeat(60_000)))).toBeLessThan(10)
  })

  it('beyond what is read do not match, and end in what comes after them', () => {
    const many = Array.from({ length: 200 }, (_, i) => rule({ rule_id: `r${i}`, pattern: `word${i}` }))
    const body = `${'x '.repeat(16_000)}word3 word199`
    const found = judge(subject({ body }), withOwn('content', ...many))
    expect(found.highlight).toBe(true)
    const late = judge(subject({ body: body.replace('word3 ', '') }), withOwn('content', ...many))
    expect(late).toMatchObject({ notify: true, highlight: false })
  })
})

it('values that JSON cannot say are no concern', () => {
  const value: Json = ['a']
  expect(
    holds({ kind: 'event_property_contains', key: 'content.list', value }, subject({ list: [value] })),
  ).toBe(false)
})
