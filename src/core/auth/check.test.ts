import { describe, expect, it } from '@jest/globals'
import type { RoomEvent, Verdict } from '../event/types.js'
import type { Json, JsonObject } from '../json/value.js'
import type { RoomVersionRules } from '../room-version/rules.js'
import {
  ALL_VERSIONS,
  create,
  CREATOR,
  joinRules,
  levels,
  member,
  stateOf,
  testEvent,
  versions,
  type TestEvent,
} from '../testing.js'
import { checkAuth } from './check.js'

const MOD = '@mod:a.example'
const PEER = '@peer:a.example'
const USER = '@user:a.example'
const REMOTE = '@user:b.example'
const INVITED = '@invited:a.example'
const BANNED = '@banned:a.example'
const KNOCKED = '@knocked:a.example'
const LEFT = '@left:a.example'
const STRANGER = '@stranger:a.example'

const noSignatures = (): boolean => {
  throw new Error('no signature was expected')
}

interface Setting {
  readonly rule?: Json
  readonly levels?: JsonObject | undefined
  readonly create?: JsonObject
  readonly more?: readonly RoomEvent[]
  readonly without?: readonly string[]
}

/** A room with somebody of every kind; the moderators have 50 like the defaults for kicks and bans. */
function room(rules: RoomVersionRules, setting: Setting = {}): readonly RoomEvent[] {
  const standing: JsonObject = {
    users: { [MOD]: 50, [PEER]: 50, ...(rules.creator === 'privileged' ? {} : { [CREATOR]: 100 }) },
  }
  const content = 'levels' in setting ? setting.levels : standing
  const events = [
    ...(setting.more ?? []),
    create(rules, setting.create),
    joinRules(rules, setting.rule ?? 'invite'),
    ...(content === undefined ? [] : [levels(rules, content)]),
    ...[CREATOR, MOD, PEER, USER, REMOTE].map((user) => member(rules, user, 'join')),
    member(rules, INVITED, 'invite'),
    member(rules, BANNED, 'ban'),
    member(rules, KNOCKED, 'knock'),
    member(rules, LEFT, 'leave'),
  ]
  return events.filter((event) => !(setting.without ?? []).includes(event.type))
}

const judge = (rules: RoomVersionRules, event: TestEvent, setting: Setting = {}): Verdict =>
  checkAuth(testEvent(rules, event), stateOf(room(rules, setting)), noSignatures)

/** `ok`, or the name of the rule that refuses. */
const verdict = (rules: RoomVersionRules, event: TestEvent, setting: Setting = {}): string => {
  const result = judge(rules, event, setting)
  return result.ok ? 'ok' : result.rule
}

const memberEvent = (sender: string, target: string, membership: Json, more: JsonObject = {}): TestEvent => ({
  type: 'm.room.member',
  sender,
  stateKey: target,
  content: { membership, ...more },
})

/** One row: what happens in which room versions. */
type Row = readonly [name: string, event: TestEvent, setting: Setting, expected: (version: number) => string]
const always = (expected: string) => (): string => expected
const since = (version: number, expected: string, before: string) => (id: number) =>
  id >= version ? expected : before

function table(rows: readonly Row[]): void {
  const cases = rows.flatMap(([name, event, setting, expected]) =>
    ALL_VERSIONS.map((rules) => [name, rules.id, expected(Number(rules.id)), rules, event, setting] as const),
  )
  it.each(cases)('%s (version %s): %s', (_name, _version, expected, rules, event, setting) => {
    expect(verdict(rules, event, setting)).toBe(expected)
  })
}

describe('create events', () => {
  const creation = (rules: RoomVersionRules, more: TestEvent = {}): TestEvent => ({
    type: 'm.room.create',
    stateKey: '',
    content: rules.creator === 'content' ? { creator: CREATOR } : {},
    prev: [],
    ...more,
  })
  it.each(ALL_VERSIONS)('of version $id are judged by themselves', (rules) => {
    const content = creation(rules).content!
    const check = (more: TestEvent): string => {
      const result = checkAuth(testEvent(rules, creation(rules, more)), () => undefined, noSignatures)
      return result.ok ? 'ok' : result.rule
    }
    const version = Number(rules.id)
    expect(check({})).toBe('ok')
    expect(check({ prev: ['$x:a.example'] })).toBe('create.prev_events')
    expect(check({ content: { ...content, room_version: rules.id } })).toBe('ok')
    expect(check({ content: { ...content, room_version: '1' } })).toBe('ok')
    for (const unknown of ['13', 'x', 1, null, '__proto__']) {
      expect(check({ content: { ...content, room_version: unknown } })).toBe('create.room_version')
    }
    expect(check({ content: {} })).toBe(version <= 10 ? 'create.creator' : 'ok')
    if (version <= 11) {
      expect(check({ roomId: '!room:b.example' })).toBe('create.room_id')
      expect(check({ roomId: '!room' })).toBe('create.room_id')
      expect(check({ sender: 'nobody' })).toBe('create.room_id')
      expect(check({ pdu: { room_id: '!room:a.example' } })).toBe('ok')
    } else {
      expect(check({ pdu: { room_id: '!room:a.example' } })).toBe('create.room_id')
      expect(check({ roomId: '!anything' })).toBe('ok')
    }
    const creators = (list: Json): string => check({ content: { ...content, additional_creators: list } })
    expect(creators([])).toBe('ok')
    expect(creators(['@a:b', '@:b'])).toBe('ok')
    for (const bad of [null, 'x', {}, [1], ['a:b'], ['@a'], ['@a:b', '@a'], [`@${'a'.repeat(255)}:b`]]) {
      expect(creators(bad)).toBe(version === 12 ? 'create.additional_creators' : 'ok')
    }
  })
})

describe('every other event', () => {
  table([
    ['needs a create event', { sender: USER }, { without: ['m.room.create'] }, always('create.missing')],
    ['may be sent by a member', { sender: USER }, {}, always('ok')],
    ['may come from elsewhere', { sender: REMOTE }, { create: { 'm.federate': true } }, always('ok')],
    [
      'may not come from elsewhere in a room that does not federate',
      { sender: REMOTE },
      { create: { 'm.federate': false } },
      always('federate'),
    ],
    [
      'may not come from elsewhere where m.federate is no boolean',
      { sender: REMOTE },
      { create: { 'm.federate': 'true' } },
      always('federate'),
    ],
    [
      'may come from the creator’s server in a room that does not federate',
      { sender: USER },
      { create: { 'm.federate': false } },
      always('ok'),
    ],
    ['may not come from a stranger', { sender: STRANGER }, {}, always('sender')],
    ['may not come from someone invited', { sender: INVITED }, {}, always('sender')],
    ['may not come from someone banned', { sender: BANNED }, {}, always('sender')],
    ['may not come from someone who left', { sender: LEFT }, {}, always('sender')],
  ])
})

describe('levels', () => {
  const pl = (content: JsonObject): Setting => ({ levels: content })
  const state: TestEvent = { type: 'x', stateKey: '' }
  table([
    ['a message takes 0', { type: 'x', sender: USER }, {}, always('ok')],
    ['state takes 50', { ...state, sender: USER }, {}, always('level')],
    ['state takes 50, which moderators have', { ...state, sender: MOD }, {}, always('ok')],
    [
      'state takes 50 in a room without levels',
      { ...state, sender: USER },
      { levels: undefined },
      always('level'),
    ],
    [
      'the creator has 100 in a room without levels',
      { ...state, sender: CREATOR },
      { levels: undefined },
      always('ok'),
    ],
    [
      'others have 0 in a room without levels',
      { ...state, sender: MOD },
      { levels: undefined },
      always('level'),
    ],
    ['messages are sent in a room without levels', { sender: USER }, { levels: undefined }, always('ok')],
    ['events_default counts for messages', { sender: USER }, pl({ events_default: 1 }), always('level')],
    [
      'events_default does not count for state',
      { ...state, sender: MOD },
      pl({ events_default: 99, users: { [MOD]: 50 } }),
      always('ok'),
    ],
    [
      'state_default counts for state',
      { ...state, sender: MOD },
      pl({ state_default: 51, users: { [MOD]: 50 } }),
      always('level'),
    ],
    ['state_default does not count for messages', { sender: USER }, pl({ state_default: 51 }), always('ok')],
    ['users_default counts', { ...state, sender: USER }, pl({ users_default: 50 }), always('ok')],
    [
      'users_default does not count for users who are named',
      { ...state, sender: USER },
      pl({ users_default: 50, users: { [USER]: 0 } }),
      always('level'),
    ],
    [
      'a level for a type is above the defaults',
      { type: 'x', sender: USER },
      pl({ events: { x: 1 } }),
      always('level'),
    ],
    [
      'a level for a type is below the defaults',
      { ...state, sender: USER },
      pl({ events: { x: 0 } }),
      always('ok'),
    ],
    [
      'a level for another type does not count',
      { ...state, sender: USER },
      pl({ events: { y: 0 } }),
      always('level'),
    ],
    [
      'levels of an unreadable form count as left out',
      { ...state, sender: USER },
      pl({ state_default: 'x', events: 'x', users: [] }),
      always('level'),
    ],
    [
      'levels in strings count up to version 9',
      { ...state, sender: USER },
      pl({ users_default: ' +050 ' }),
      since(10, 'level', 'ok'),
    ],
    [
      'floats count up to version 5',
      { ...state, sender: USER },
      pl({ users_default: 50.9 }),
      since(6, 'level', 'ok'),
    ],
    [
      'creators have no limit since version 12',
      { ...state, sender: CREATOR },
      pl({ state_default: 2 ** 53 - 1 }),
      since(12, 'ok', 'level'),
    ],
    [
      'additional creators have no limit since version 12',
      { ...state, sender: USER },
      { create: { additional_creators: [USER] } },
      since(12, 'ok', 'level'),
    ],
    [
      'others gain nothing from additional creators',
      { ...state, sender: REMOTE },
      { create: { additional_creators: [USER] } },
      always('level'),
    ],
    [
      'the creator can be without power up to version 11',
      { ...state, sender: CREATOR },
      pl({}),
      since(12, 'ok', 'level'),
    ],
    [
      'state under somebody’s name is theirs',
      { type: 'x', stateKey: USER, sender: MOD },
      {},
      always('state_key'),
    ],
    [
      'state under one’s own name takes the level of state',
      { type: 'x', stateKey: MOD, sender: MOD },
      {},
      always('ok'),
    ],
    [
      'state under one’s own name is no exception from levels',
      { type: 'x', stateKey: USER, sender: USER },
      {},
      always('level'),
    ],
    [
      'state under another name is anybody’s',
      { type: 'x', stateKey: `x${USER}`, sender: MOD },
      {},
      always('ok'),
    ],
  ])
  it.each(versions(11, 11))(
    'the creator of version $id is the sender of the create event, whatever its content says',
    (rules) => {
      expect(
        verdict(
          rules,
          { type: 'x', stateKey: '', sender: USER },
          { levels: undefined, create: { creator: USER } },
        ),
      ).toBe('level')
    },
  )
  it.each(versions(1, 10))('the creator of version $id is named in the content', (rules) => {
    expect(
      verdict(
        rules,
        { type: 'x', stateKey: '', sender: USER },
        { levels: undefined, create: { creator: USER } },
      ),
    ).toBe('ok')
    expect(
      verdict(
        rules,
        { type: 'x', stateKey: '', sender: CREATOR },
        { levels: undefined, create: { creator: USER } },
      ),
    ).toBe('level')
    expect(
      verdict(
        rules,
        { type: 'x', stateKey: '', sender: CREATOR },
        { levels: undefined, create: { creator: 1 } },
      ),
    ).toBe('level')
  })
})

describe('aliases', () => {
  const aliases: TestEvent = { type: 'm.room.aliases', sender: STRANGER }
  table([
    [
      'are set by a server for itself, up to version 5',
      { ...aliases, stateKey: 'a.example' },
      {},
      since(6, 'sender', 'ok'),
    ],
    [
      'are not set for other servers',
      { ...aliases, stateKey: 'b.example' },
      {},
      since(6, 'sender', 'aliases.server'),
    ],
    ['are state', aliases, {}, since(6, 'sender', 'aliases.state_key')],
    [
      'are no exception for members since version 6',
      { ...aliases, sender: MOD, stateKey: 'b.example' },
      {},
      since(6, 'ok', 'aliases.server'),
    ],
    [
      'do not come from elsewhere in a room that does not federate',
      { ...aliases, sender: REMOTE, stateKey: 'b.example' },
      { create: { 'm.federate': false } },
      always('federate'),
    ],
  ])
})

describe('member events', () => {
  table([
    [
      'are state',
      { ...memberEvent(USER, USER, 'join'), stateKey: undefined },
      {},
      always('member.state_key'),
    ],
    [
      'have a membership',
      { type: 'm.room.member', sender: USER, stateKey: USER },
      {},
      always('member.membership'),
    ],
    ['are about users', memberEvent(USER, 'user', 'join'), {}, always('member.target')],
    ['have a known membership', memberEvent(USER, USER, 'x'), {}, always('member.unknown')],
    ['have a membership that is text', memberEvent(USER, USER, 1), {}, always('member.unknown')],
  ])
})

describe('joining', () => {
  const join = (user: string, more: JsonObject = {}): TestEvent => memberEvent(user, user, 'join', more)
  const first: TestEvent = { ...join(CREATOR), prev: ['$create:a.example'] }
  const empty: Setting = { without: ['m.room.member', 'm.room.power_levels', 'm.room.join_rules'] }
  table([
    ['the creator joins right after the create event', first, empty, always('ok')],
    [
      'the creator does not join later without an invite',
      { ...first, prev: ['$other:a.example'] },
      empty,
      always('member.join.invite'),
    ],
    [
      'the creator does not join after two events',
      { ...first, prev: ['$create:a.example', '$x:a.example'] },
      empty,
      always('member.join.invite'),
    ],
    ['the creator does not join after no event', { ...first, prev: [] }, empty, always('member.join.invite')],
    [
      'the create event counts once where it is named twice',
      { ...first, pdu: { prev_events: ['$create:a.example', '$create:a.example'] } },
      empty,
      always('member.join.invite'),
    ],
    [
      'the create event counts where it is named once',
      { ...first, pdu: { prev_events: ['$create:a.example'] } },
      empty,
      always('ok'),
    ],
    [
      'others do not join right after the create event',
      { ...first, sender: USER, stateKey: USER },
      empty,
      always('member.join.invite'),
    ],
    [
      'additional creators do not join without invite',
      { ...join(USER), prev: ['$create:a.example'] },
      { ...empty, create: { additional_creators: [USER] } },
      always('member.join.invite'),
    ],
    [
      'nobody makes others join',
      memberEvent(MOD, INVITED, 'join'),
      { rule: 'public' },
      always('member.join.sender'),
    ],
    ['the banned do not join', join(BANNED), { rule: 'public' }, always('member.join.banned')],
    ['anybody joins a public room', join(STRANGER), { rule: 'public' }, always('ok')],
    ['those who left join a public room', join(LEFT), { rule: 'public' }, always('ok')],
    ['members join again', join(USER), {}, always('ok')],
    ['the invited join', join(INVITED), {}, always('ok')],
    ['strangers do not join', join(STRANGER), {}, always('member.join.invite')],
    ['those who left do not join', join(LEFT), {}, always('member.join.invite')],
    ['those who knocked do not join', join(KNOCKED), {}, always('member.join.invite')],
    [
      'a room without join rules is by invitation',
      join(INVITED),
      { without: ['m.room.join_rules'] },
      always('ok'),
    ],
    [
      'a room without join rules is closed to strangers',
      join(STRANGER),
      { without: ['m.room.join_rules'] },
      always('member.join.invite'),
    ],
    [
      'members stay in a room with unknown rules no longer',
      join(USER),
      { rule: 'private' },
      always('member.join.rule'),
    ],
    ['nobody joins where the rule is no text', join(USER), { rule: 7 }, always('member.join.rule')],
    [
      'the invited join a knock room since version 7',
      join(INVITED),
      { rule: 'knock' },
      since(7, 'ok', 'member.join.rule'),
    ],
    [
      'strangers do not join a knock room',
      join(STRANGER),
      { rule: 'knock' },
      since(7, 'member.join.invite', 'member.join.rule'),
    ],
  ])
  const via = (user: Json): JsonObject => ({ join_authorised_via_users_server: user })
  for (const [rule, version] of [
    ['restricted', 8],
    ['knock_restricted', 10],
  ] as const) {
    const at = (expected: string) => since(version, expected, 'member.join.rule')
    const power: Setting = { rule, levels: { invite: 50, users: { [MOD]: 50 } } }
    table([
      [`the invited join a ${rule} room`, join(INVITED), { rule }, at('ok')],
      [`members join a ${rule} room again`, join(USER), { rule }, at('ok')],
      [`strangers join a ${rule} room by a member who may invite`, join(STRANGER, via(MOD)), power, at('ok')],
      [
        `strangers do not join a ${rule} room by a member who may not invite`,
        join(STRANGER, via(USER)),
        power,
        at('member.join.restricted.level'),
      ],
      [
        `strangers do not join a ${rule} room by somebody outside`,
        join(STRANGER, via(INVITED)),
        { rule },
        at('member.join.restricted.member'),
      ],
      [
        `strangers do not join a ${rule} room by themselves`,
        join(STRANGER),
        { rule },
        at('member.join.restricted'),
      ],
      [
        `strangers do not join a ${rule} room by what is no user`,
        join(STRANGER, via(1)),
        { rule },
        at('member.join.restricted'),
      ],
      [`those who knocked join a ${rule} room by a member`, join(KNOCKED, via(USER)), { rule }, at('ok')],
    ])
  }
  it('needs nothing of join_rule when it is left out', () => {
    for (const rules of ALL_VERSIONS) {
      const bare = testEvent(rules, { type: 'm.room.join_rules', stateKey: '', content: {} })
      expect(verdict(rules, join(INVITED), { more: [bare] })).toBe('ok')
      expect(verdict(rules, join(STRANGER), { more: [bare] })).toBe('member.join.invite')
    }
  })
})

describe('inviting', () => {
  const invite = (sender: string, target: string): TestEvent => memberEvent(sender, target, 'invite')
  const strict: Setting = { levels: { invite: 50, users: { [MOD]: 50 } } }
  table([
    ['members invite strangers', invite(USER, STRANGER), {}, always('ok')],
    ['members invite those who left', invite(USER, LEFT), {}, always('ok')],
    ['members invite the invited', invite(USER, INVITED), {}, always('ok')],
    ['members invite those who knocked', invite(USER, KNOCKED), {}, always('ok')],
    ['outsiders do not invite', invite(LEFT, STRANGER), {}, always('member.invite.sender')],
    ['the invited do not invite', invite(INVITED, STRANGER), {}, always('member.invite.sender')],
    ['members are not invited', invite(MOD, USER), {}, always('member.invite.target')],
    ['the banned are not invited', invite(MOD, BANNED), {}, always('member.invite.target')],
    ['inviting takes the invite level', invite(USER, STRANGER), strict, always('member.invite.level')],
    ['the invite level is enough', invite(MOD, STRANGER), strict, always('ok')],
    [
      'inviting takes 0 in a room without levels',
      invite(USER, STRANGER),
      { levels: undefined },
      always('ok'),
    ],
  ])
})

describe('leaving', () => {
  const leave = (sender: string, target = sender): TestEvent => memberEvent(sender, target, 'leave')
  const powers = (content: JsonObject): Setting => ({
    levels: { users: { [MOD]: 50, [PEER]: 50 }, ...content },
  })
  table([
    ['members leave', leave(USER), {}, always('ok')],
    ['the invited decline', leave(INVITED), {}, always('ok')],
    [
      'those who knocked give up, since version 7',
      leave(KNOCKED),
      {},
      since(7, 'ok', 'member.leave.outside'),
    ],
    ['the banned cannot leave', leave(BANNED), {}, always('member.leave.outside')],
    ['those who left cannot leave', leave(LEFT), {}, always('member.leave.outside')],
    ['strangers cannot leave', leave(STRANGER), {}, always('member.leave.outside')],
    ['moderators kick members', leave(MOD, USER), {}, always('ok')],
    ['moderators take invites back', leave(MOD, INVITED), {}, always('ok')],
    ['moderators turn down knocks', leave(MOD, KNOCKED), {}, always('ok')],
    ['moderators unban', leave(MOD, BANNED), {}, always('ok')],
    ['members do not kick', leave(USER, REMOTE), {}, always('member.leave.kick')],
    ['members do not unban', leave(USER, BANNED), {}, always('member.leave.unban')],
    ['outsiders do not kick', leave(STRANGER, USER), {}, always('member.leave.sender')],
    ['the invited do not kick', leave(INVITED, USER), {}, always('member.leave.sender')],
    ['moderators do not kick their equals', leave(MOD, PEER), {}, always('member.leave.kick')],
    ['moderators do not kick the creator', leave(MOD, CREATOR), {}, always('member.leave.kick')],
    ['the kick level counts', leave(MOD, USER), powers({ kick: 51 }), always('member.leave.kick')],
    ['unbanning takes the ban level', leave(MOD, BANNED), powers({ ban: 51 }), always('member.leave.unban')],
    ['the ban level does not count for kicks', leave(MOD, USER), powers({ ban: 51 }), always('ok')],
    [
      'unbanning takes the kick level too',
      leave(MOD, BANNED),
      powers({ kick: 51 }),
      always('member.leave.kick'),
    ],
    [
      'the banned who have the same level stay banned',
      leave(MOD, BANNED),
      powers({ users: { [MOD]: 50, [BANNED]: 50 } }),
      always('member.leave.kick'),
    ],
    [
      'creators do not kick each other',
      leave(CREATOR, USER),
      { create: { additional_creators: [USER] } },
      since(12, 'member.leave.kick', 'ok'),
    ],
  ])
})

describe('banning', () => {
  const ban = (sender: string, target: string): TestEvent => memberEvent(sender, target, 'ban')
  const powers = (content: JsonObject): Setting => ({
    levels: { users: { [MOD]: 50, [PEER]: 50 }, ...content },
  })
  table([
    ['moderators ban members', ban(MOD, USER), {}, always('ok')],
    ['moderators ban strangers', ban(MOD, STRANGER), {}, always('ok')],
    ['moderators ban the banned', ban(MOD, BANNED), {}, always('ok')],
    ['members do not ban', ban(USER, REMOTE), {}, always('member.ban.level')],
    ['outsiders do not ban', ban(LEFT, USER), {}, always('member.ban.sender')],
    ['moderators do not ban their equals', ban(MOD, PEER), {}, always('member.ban.level')],
    ['moderators do not ban themselves', ban(MOD, MOD), {}, always('member.ban.level')],
    ['moderators do not ban the creator', ban(MOD, CREATOR), {}, always('member.ban.level')],
    ['the ban level counts', ban(MOD, USER), powers({ ban: 51 }), always('member.ban.level')],
    ['the kick level does not count', ban(MOD, USER), powers({ kick: 51 }), always('ok')],
    [
      'banning takes 50 in a room without levels',
      ban(USER, STRANGER),
      { levels: undefined },
      always('member.ban.level'),
    ],
  ])
})

describe('knocking', () => {
  const knock = (sender: string, target = sender): TestEvent => memberEvent(sender, target, 'knock')
  const at = (expected: string) => since(7, expected, 'member.unknown')
  table([
    ['strangers knock', knock(STRANGER), { rule: 'knock' }, at('ok')],
    ['those who left knock', knock(LEFT), { rule: 'knock' }, at('ok')],
    ['those who knocked knock again', knock(KNOCKED), { rule: 'knock' }, at('ok')],
    ['members do not knock', knock(USER), { rule: 'knock' }, at('member.knock.membership')],
    ['the invited do not knock', knock(INVITED), { rule: 'knock' }, at('member.knock.membership')],
    ['the banned do not knock', knock(BANNED), { rule: 'knock' }, at('member.knock.membership')],
    ['nobody knocks for others', knock(MOD, STRANGER), { rule: 'knock' }, at('member.knock.sender')],
    ['nobody knocks at a public room', knock(STRANGER), { rule: 'public' }, at('member.knock.rule')],
    ['nobody knocks at an invite room', knock(STRANGER), { rule: 'invite' }, at('member.knock.rule')],
    ['nobody knocks at a restricted room', knock(STRANGER), { rule: 'restricted' }, at('member.knock.rule')],
    [
      'strangers knock at a knock_restricted room since version 10',
      knock(STRANGER),
      { rule: 'knock_restricted' },
      (version) => (version >= 10 ? 'ok' : at('member.knock.rule')(version)),
    ],
  ])
})

describe('third-party invite events', () => {
  const offer = (sender: string): TestEvent => ({
    type: 'm.room.third_party_invite',
    sender,
    stateKey: 'token',
  })
  const strict: Setting = { levels: { invite: 50, state_default: 99, users: { [MOD]: 50 } } }
  table([
    ['take the invite level and no other', offer(MOD), strict, always('ok')],
    ['are refused below the invite level', offer(USER), strict, always('third_party_invite.level')],
    ['come from members', offer(STRANGER), {}, always('sender')],
  ])
})

describe('redactions', () => {
  const redaction = (sender: string, redacts?: string): TestEvent => ({
    id: '$redaction:a.example', type: 'm.room.redaction', sender, ...(redacts === undefined ? {} : { redacts }),
  }) // prettier-ignore
  const old = (expected: string) => since(3, 'ok', expected)
  const strict: Setting = { levels: { redact: 51, users: { [MOD]: 50 } } }
  table([
    ['of the same server are allowed', redaction(USER, '$x:a.example'), {}, always('ok')],
    [
      'of another server take the redact level in versions 1 and 2',
      redaction(USER, '$x:b.example'),
      {},
      old('redaction'),
    ],
    ['of another server are a moderator’s', redaction(MOD, '$x:b.example'), {}, always('ok')],
    ['take the level of the room', redaction(MOD, '$x:b.example'), strict, old('redaction')],
    ['of nothing are refused in versions 1 and 2', redaction(USER), {}, old('redaction')],
    ['of what is no event are refused in versions 1 and 2', redaction(USER, 'x'), {}, old('redaction')],
    [
      'of nothing are refused in versions 1 and 2, also where the redaction’s own id names no server',
      { ...redaction(USER), id: '$redaction' },
      {},
      old('redaction'),
    ],
    [
      'take the level of events first',
      redaction(USER, '$x:a.example'),
      { levels: { events: { 'm.room.redaction': 1 } } },
      always('level'),
    ],
  ])
})
