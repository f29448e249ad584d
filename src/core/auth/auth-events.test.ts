import { describe, expect, it } from '@jest/globals'
import type { RoomEvent } from '../event/types.js'
import { ALL_VERSIONS, create, CREATOR, joinRules, levels, member, testEvent } from '../testing.js'
import type { Json, JsonObject } from '../json/value.js'
import type { RoomVersionRules } from '../room-version/rules.js'
import { authEventKeys, authStateKeys } from './auth-event-keys.js'
import { checkAuthEvents, type KnownEvent } from './auth-events.js'

const USER = '@user:a.example'
const TARGET = '@target:a.example'

const names = (keys: readonly { type: string; stateKey: string }[]): string[] =>
  keys.map(({ type, stateKey }) => `${type.replace('m.room.', '')}|${stateKey}`).sort()

describe('authEventKeys', () => {
  const select = (
    rules: RoomVersionRules,
    type: string,
    content: JsonObject = {},
    stateKey?: string,
  ): string[] => names(authEventKeys({ type, sender: USER, stateKey, content }, rules))
  const base = (rules: RoomVersionRules): string[] => [
    ...(rules.id === '12' ? [] : ['create|']),
    `member|${USER}`,
    'power_levels|',
  ]
  const inVersion = (rules: RoomVersionRules, ...more: string[]): string[] => [...base(rules), ...more].sort()

  it.each(ALL_VERSIONS)('selects as the specification says in version $id', (rules) => {
    expect(select(rules, 'm.room.create', {}, '')).toEqual([])
    expect(select(rules, 'm.room.message')).toEqual(inVersion(rules))
    expect(select(rules, 'm.room.name', {}, '')).toEqual(inVersion(rules))
    const target = `member|${TARGET}`
    for (const membership of ['leave', 'ban', 'x', 1, null] as Json[]) {
      expect(select(rules, 'm.room.member', { membership }, TARGET)).toEqual(inVersion(rules, target))
    }
    for (const membership of ['join', 'invite', 'knock']) {
      expect(select(rules, 'm.room.member', { membership }, TARGET)).toEqual(
        inVersion(rules, target, 'join_rules|'),
      )
      expect(select(rules, 'm.room.member', { membership }, USER)).toEqual(inVersion(rules, 'join_rules|'))
    }
    expect(select(rules, 'm.room.member', { membership: 'leave' })).toEqual(inVersion(rules))
    // An empty state key is a user's like any other, though other events of the selection have it too.
    expect(select(rules, 'm.room.member', { membership: 'leave' }, '')).toEqual(inVersion(rules, 'member|'))
  })

  it.each(ALL_VERSIONS)('selects the authorising user of a join since version 8 (here $id)', (rules) => {
    const via = (user: Json, membership = 'join'): string[] =>
      select(rules, 'm.room.member', { membership, join_authorised_via_users_server: user }, USER)
    const plain = inVersion(rules, 'join_rules|')
    expect(via(TARGET)).toEqual(
      Number(rules.id) >= 8 ? inVersion(rules, 'join_rules|', `member|${TARGET}`) : plain,
    )
    expect(via(TARGET, 'invite')).toEqual(plain)
    expect(via(USER)).toEqual(plain)
    expect(via(1)).toEqual(plain)
  })

  it.each(ALL_VERSIONS)('selects the third-party invite that an invite names (version $id)', (rules) => {
    const invite = (third_party_invite: Json, membership = 'invite'): string[] =>
      select(rules, 'm.room.member', { membership, third_party_invite }, TARGET)
    const plain = inVersion(rules, 'join_rules|', `member|${TARGET}`)
    expect(invite({ signed: { token: 't' } })).toEqual([...plain, 'third_party_invite|t'].sort())
    for (const bad of [null, 'x', {}, { signed: 'x' }, { signed: {} }, { signed: { token: 1 } }] as Json[]) {
      expect(invite(bad)).toEqual(plain)
    }
    expect(invite({ signed: { token: 't' } }, 'join')).toEqual(plain)
  })

  it.each(ALL_VERSIONS)(
    'is less than what judging looks at by the create event at most (version $id)',
    (rules) => {
      const event = { type: 'm.room.message', sender: USER, content: {} }
      expect(names(authStateKeys(event, rules))).toEqual(['create|', `member|${USER}`, 'power_levels|'])
      expect(authStateKeys({ ...event, type: 'm.room.create' }, rules)).toEqual([])
    },
  )
})

describe.each(ALL_VERSIONS)('checkAuthEvents in version $id', (rules) => {
  const implied = rules.roomIds === 'create-hash'
  const room = new Map<string, RoomEvent>(
    [
      create(rules),
      levels(rules, {}),
      joinRules(rules, 'invite'),
      member(rules, CREATOR, 'join'),
      member(rules, USER, 'join'),
    ].map((event) => [event.id, event]),
  )
  const good = [...(implied ? [] : ['$create:a.example']), '$levels:a.example', `$member-${USER}`]
  const check = (
    auth: readonly string[],
    more: readonly RoomEvent[] = [],
    rejected: readonly string[] = [],
    event: RoomEvent = testEvent(rules, { sender: USER, auth }),
  ): string => {
    const all = new Map([...room, ...more.map((extra) => [extra.id, extra] as const)])
    const known = (id: string): KnownEvent | undefined => {
      const found = all.get(id)
      return found === undefined ? undefined : { event: found, rejected: rejected.includes(id) }
    }
    const verdict = checkAuthEvents(event, known)
    return verdict.ok ? 'ok' : verdict.rule
  }

  it('allows what the selection names, in any order, and less', () => {
    expect(check(good)).toBe('ok')
    expect(check(good.toReversed())).toBe('ok')
    expect(check(good.slice(0, 1))).toBe('ok')
  })
  it('refuses events that are not known', () => {
    expect(check([...good, '$nowhere'])).toBe('auth_events.unknown')
  })
  it('refuses an event named twice, and two events for one key', () => {
    expect(check([...good, '$levels:a.example'])).toBe('auth_events.duplicate')
    const other = testEvent(rules, { id: '$levels2', type: 'm.room.power_levels', stateKey: '' })
    expect(check([...good, '$levels2'], [other])).toBe('auth_events.duplicate')
  })
  it('refuses what the selection does not name', () => {
    expect(check([...good, '$rules:a.example'])).toBe('auth_events.surplus')
    expect(check([...good, `$member-${CREATOR}`])).toBe('auth_events.surplus')
    const message = testEvent(rules, { id: '$message', type: 'm.room.power_levels' })
    expect(check([...good.filter((id) => id !== '$levels:a.example'), '$message'], [message])).toBe(
      'auth_events.surplus',
    )
    // Beside the state event of its type it is a second one for the key: no state key is taken for the empty one.
    expect(check([...good, '$message'], [message])).toBe('auth_events.duplicate')
  })
  it('refuses events that were rejected', () => {
    expect(check(good, [], ['$levels:a.example'])).toBe('auth_events.rejected')
  })
  it('refuses events of another room', () => {
    const foreign = testEvent(rules, {
      id: '$foreign',
      type: 'm.room.power_levels',
      stateKey: '',
      roomId: '!other:a.example',
    })
    expect(check([...good.filter((id) => id !== '$levels:a.example'), '$foreign'], [foreign])).toBe(
      'auth_events.room',
    )
  })
  it('asks for the create event, by name or by the room id', () => {
    if (implied) {
      expect(check(['$create:a.example', ...good])).toBe('auth_events.surplus')
      expect(check(good, [], ['$create:a.example'])).toBe('room.create')
      const orphan = testEvent(rules, { sender: USER, auth: [], roomId: '!nowhere' })
      expect(check([], [], [], orphan)).toBe('room.create')
      const fake = testEvent(rules, { sender: USER, auth: [], roomId: `!${'levels:a.example'}` })
      expect(check([], [], [], fake)).toBe('room.create')
    } else {
      expect(check(good.slice(1))).toBe('auth_events.create')
      expect(check([])).toBe('auth_events.create')
    }
  })
  it('leaves create events to their own rule', () => {
    expect(check([], [], [], create(rules))).toBe('ok')
  })
  it('refuses types and state keys above 255 bytes, which old versions do not drop', () => {
    const long = testEvent(rules, { sender: USER, auth: good, type: 'é'.repeat(200) })
    expect(check(good, [], [], long)).toBe('size.field')
    const key = testEvent(rules, { sender: USER, auth: good, stateKey: 'é'.repeat(200) })
    expect(check(good, [], [], key)).toBe('size.field')
  })
})
