import { describe, expect, it } from '@jest/globals'
import type { Json, JsonObject } from '../json/value.js'
import { RawNumber } from '../json/value.js'
import type { RoomVersionRules } from '../room-version/rules.js'
import { ALL_VERSIONS, create, CREATOR, levels, member, stateOf, testEvent, versions } from '../testing.js'
import { checkAuth } from './check.js'

const MOD = '@mod:a.example'
const PEER = '@peer:a.example'
const USER = '@user:a.example'
const NAMED = ['users_default', 'events_default', 'state_default', 'ban', 'redact', 'kick', 'invite'] as const

/** Judges a change of levels by the moderator, who has 50 unless told otherwise. */
function change(
  rules: RoomVersionRules,
  before: JsonObject | undefined,
  after: JsonObject,
  { sender = MOD, stateKey = '' as string | null, creation = {} as JsonObject } = {},
): string {
  const state = [
    create(rules, creation),
    member(rules, sender, 'join'),
    ...(before === undefined ? [] : [levels(rules, before)]),
  ]
  const event = testEvent(rules, {
    type: 'm.room.power_levels',
    stateKey: stateKey ?? undefined,
    sender,
    content: after,
  })
  const verdict = checkAuth(event, stateOf(state), () => false)
  return verdict.ok ? 'ok' : verdict.rule
}

const users = (more: JsonObject = {}): JsonObject => ({ users: { [MOD]: 50, ...more } })

describe('the form of m.room.power_levels', () => {
  it.each(versions(10))('in version $id has integers only', (rules) => {
    for (const bad of ['50', 50.5, null, true, [], {}, new RawNumber('1.0'), 2 ** 53] as Json[]) {
      for (const name of NAMED)
        expect(change(rules, users(), { ...users(), [name]: bad })).toBe('power_levels.integer')
      for (const name of ['events', 'notifications']) {
        expect(change(rules, users(), { ...users(), [name]: { x: bad } })).toBe('power_levels.map')
      }
      expect(change(rules, users(), users({ [USER]: bad }))).toBe('power_levels.users')
    }
    for (const bad of [null, [], 'x', 1] as Json[]) {
      for (const name of ['events', 'notifications']) {
        expect(change(rules, users(), { ...users(), [name]: bad })).toBe('power_levels.map')
      }
      expect(change(rules, users(), { users: bad })).toBe('power_levels.users')
    }
    expect(
      change(rules, users(), { ...users(), events: {}, notifications: { room: 50 }, ban: -1, x: 'y' }),
    ).toBe('ok')
  })

  it.each(versions(1, 9))('in version $id may have integers in strings', (rules) => {
    for (const good of ['50', ' 50 ', '+50', '-50', '0050', '\t50\n', '0'.repeat(4300)]) {
      expect(change(rules, users(), users({ [USER]: good }))).toBe('ok')
      for (const name of NAMED) expect(change(rules, users(), { ...users(), [name]: good })).toBe('ok')
    }
    for (const bad of [
      '',
      ' ',
      '5 0',
      '50.0',
      '0x10',
      '1e1',
      '+-5',
      '5_0',
      null,
      true,
      [],
      {},
      'x'.repeat(5000),
      '9'.repeat(4301),
      '0'.repeat(4301),
    ] as Json[]) {
      expect(change(rules, users(), users({ [USER]: bad }))).toBe('power_levels.users')
    }
    expect(change(rules, users(), { users: [] })).toBe('power_levels.users')
  })

  it.each(versions(1, 5))('in version $id may have floats, which are cut off', (rules) => {
    expect(change(rules, users(), users({ [USER]: 50.9 }))).toBe('ok')
    expect(change(rules, users(), users({ [USER]: new RawNumber('5.09e1') }))).toBe('ok')
    expect(change(rules, users(), users({ [USER]: 51 }))).toBe('power_levels.users.level')
    expect(change(rules, users(), users({ [USER]: new RawNumber('5.1e1') }))).toBe('power_levels.users.level')
    expect(change(rules, users({ [PEER]: -0.5 }), users({ [PEER]: 0 }))).toBe('ok')
    expect(change(rules, users(), users({ [USER]: new RawNumber('1e400') }))).toBe('power_levels.users')
    expect(change(rules, users(), users({ [USER]: Number.POSITIVE_INFINITY }))).toBe('power_levels.users')
  })

  it.each(versions(6, 9))('in version $id has no floats', (rules) => {
    expect(change(rules, users(), users({ [USER]: 0.5 }))).toBe('power_levels.users')
    expect(change(rules, users(), users({ [USER]: new RawNumber('1.0') }))).toBe('power_levels.users')
  })

  it.each(ALL_VERSIONS)('in version $id names users by valid ids', (rules) => {
    for (const bad of ['user:a.example', '@user', '@user:', '@user:a/b', '', '__proto__']) {
      const map = JSON.parse(`{"${MOD}":50,"${bad}":0}`) as JsonObject
      expect(
        change(
          rules,
          undefined,
          { users: map },
          { creation: {}, sender: rules.creator === 'privileged' ? CREATOR : MOD },
        ),
      ).toBe(rules.creator === 'privileged' ? 'power_levels.users' : 'level')
      expect(change(rules, users(), { users: map })).toBe('power_levels.users')
    }
    expect(change(rules, users(), users({ '@Ü:a.example': 0 }))).toBe('ok')
    expect(change(rules, users(), users())).toBe('ok')
  })

  it.each(ALL_VERSIONS)('in version $id is free in what nobody reads', (rules) => {
    expect(change(rules, users(), { ...users(), notes: 'x', __proto: 1 })).toBe('ok')
  })

  it.each(ALL_VERSIONS)('in version $id names no creators since version 12', (rules) => {
    const expected = rules.id === '12' ? 'power_levels.creators' : 'power_levels.users.level'
    expect(change(rules, users(), users({ [CREATOR]: 100 }))).toBe(expected)
    expect(
      change(rules, users(), users({ [USER]: 100 }), { creation: { additional_creators: [USER] } }),
    ).toBe(expected)
    expect(change(rules, undefined, users({ [CREATOR]: 50 }), { sender: CREATOR })).toBe(
      rules.id === '12' ? 'power_levels.creators' : 'ok',
    )
  })
})

describe('the first power levels', () => {
  it.each(ALL_VERSIONS)('of a room of version $id may say anything', (rules) => {
    const all = Object.fromEntries(NAMED.map((name) => [name, 1000]))
    const content = { ...all, users: { [MOD]: 1000 }, events: { x: 1000 }, notifications: { room: 1000 } }
    expect(change(rules, undefined, content, { sender: CREATOR })).toBe('ok')
    expect(change(rules, undefined, content)).toBe('level')
  })
  it.each(versions(1, 9))('of a room of version $id may have unreadable levels', (rules) => {
    expect(change(rules, undefined, { ban: 'x', events: 1, users: {} }, { sender: CREATOR })).toBe('ok')
  })
  it.each(ALL_VERSIONS)('under another state key have no predecessor in version $id', (rules) => {
    expect(change(rules, users(), users({ [USER]: 1000 }), { stateKey: 'x' })).toBe('ok')
    expect(change(rules, users(), users({ [USER]: 1000 }), { stateKey: null })).toBe('ok')
    expect(change(rules, users(), { users: [] }, { stateKey: 'x' })).toBe('power_levels.users')
  })
})

describe.each(ALL_VERSIONS)('a change of levels in version $id', (rules) => {
  it.each(NAMED)('of %s stays within the sender’s level', (name) => {
    const at = (level: number | undefined): JsonObject =>
      level === undefined ? users() : { ...users(), [name]: level }
    const sender = (level: number | undefined): JsonObject => ({
      ...at(level),
      events: { 'm.room.power_levels': 0 },
    })
    const judge = (before: number | undefined, after: number | undefined): string =>
      change(rules, sender(before), sender(after))
    expect(judge(undefined, 50)).toBe('ok')
    expect(judge(undefined, 51)).toBe('power_levels.level')
    expect(judge(50, undefined)).toBe('ok')
    expect(judge(51, undefined)).toBe('power_levels.level')
    expect(judge(50, 0)).toBe('ok')
    expect(judge(51, 0)).toBe('power_levels.level')
    expect(judge(0, 51)).toBe('power_levels.level')
    expect(judge(51, 51)).toBe('ok')
    expect(judge(0, -1)).toBe('ok')
  })

  it.each(['events', 'notifications'])('of an entry in %s stays within the sender’s level', (map) => {
    const judge = (before: JsonObject, after: JsonObject): string =>
      change(rules, { ...users(), [map]: before }, { ...users(), [map]: after })
    const refused = map === 'notifications' && Number(rules.id) < 6 ? 'ok' : `power_levels.${map}`
    expect(judge({}, { x: 50 })).toBe('ok')
    expect(judge({}, { x: 51 })).toBe(refused)
    expect(judge({ x: 50 }, {})).toBe('ok')
    expect(judge({ x: 51 }, {})).toBe(refused)
    expect(judge({ x: 51 }, { x: 50 })).toBe(refused)
    expect(judge({ x: 50 }, { x: 51 })).toBe(refused)
    expect(judge({ x: 51 }, { x: 51 })).toBe('ok')
    expect(change(rules, { ...users(), [map]: { x: 51 } }, users())).toBe(refused)
    expect(change(rules, users(), { ...users(), [map]: { x: 51 } })).toBe(refused)
    expect(judge(JSON.parse('{"__proto__":51}') as JsonObject, {})).toBe(refused)
    expect(judge({}, JSON.parse('{"constructor":51}') as JsonObject)).toBe(refused)
  })

  it('of users never touches equals or superiors, but the sender may step down', () => {
    const judge = (before: JsonObject, after: JsonObject): string =>
      change(rules, users(before), users(after))
    expect(judge({}, { [USER]: 50 })).toBe('ok')
    expect(judge({}, { [USER]: 51 })).toBe('power_levels.users.level')
    expect(judge({ [USER]: 49 }, { [USER]: 50 })).toBe('ok')
    expect(judge({ [USER]: 49 }, {})).toBe('ok')
    expect(judge({ [USER]: 49 }, { [USER]: 51 })).toBe('power_levels.users.level')
    expect(judge({ [PEER]: 50 }, { [PEER]: 0 })).toBe('power_levels.users.equal')
    expect(judge({ [PEER]: 50 }, {})).toBe('power_levels.users.equal')
    expect(judge({ [PEER]: 51 }, { [PEER]: 0 })).toBe('power_levels.users.equal')
    expect(judge({ [PEER]: 51 }, { [PEER]: 51 })).toBe('ok')
    expect(change(rules, users(), users({ [MOD]: 49 }))).toBe('ok')
    expect(change(rules, users(), { users: {} })).toBe('ok')
    expect(change(rules, users(), users({ [MOD]: 51 }))).toBe('power_levels.users.level')
    expect(change(rules, users({ [PEER]: 50 }), {})).toBe('power_levels.users.equal')
  })

  it('counts for what it means, not for how it is written', () => {
    if (rules.powerLevels === 'integers') return
    expect(
      change(
        rules,
        { ...users(), ban: 99, events: { x: 99 } },
        { ...users(), ban: '99', events: { x: ' +99 ' } },
      ),
    ).toBe('ok')
    expect(change(rules, { ...users(), ban: 99 }, { ...users(), ban: '98' })).toBe('power_levels.level')
  })

  it('removes unreadable levels, but does not add them', () => {
    if (rules.powerLevels === 'integers') return
    expect(change(rules, { ...users(), ban: 'x' }, users())).toBe('ok')
    expect(change(rules, { ...users(), ban: 'x' }, { ...users(), ban: 'y' })).toBe('ok')
    expect(change(rules, users(), { ...users(), ban: 'x' })).toBe('power_levels.level')
    expect(change(rules, users(), { ...users(), events: { x: null } })).toBe('power_levels.events')
  })

  it('has no limits for creators since version 12', () => {
    if (rules.creator !== 'privileged') return
    const high = { ...users({ [PEER]: 2 ** 53 - 1 }), ban: 2 ** 53 - 1 }
    expect(change(rules, high, users(), { sender: CREATOR })).toBe('ok')
    expect(change(rules, users(), high, { sender: CREATOR })).toBe('ok')
    expect(change(rules, high, users(), { sender: USER, creation: { additional_creators: [USER] } })).toBe(
      'ok',
    )
  })
})
