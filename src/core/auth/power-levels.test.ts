import { describe, expect, it } from '@jest/globals'
import { ALL_VERSIONS, create, CREATOR, levels, rulesOf, stateOf, testEvent } from '../testing.js'
import { powerLevels, powerLevelsOf } from './power-levels.js'
import { redactionApplies } from './redaction.js'

const USER = '@user:a.example'

describe('powerLevels', () => {
  it.each(ALL_VERSIONS)('has defaults in a room of version $id without levels', (rules) => {
    const found = powerLevels(stateOf([create(rules)]))
    expect([found.invite, found.kick, found.ban, found.redact]).toEqual([0, 50, 50, 50])
    expect([found.event('x', false), found.event('x', true), found.notification('room')]).toEqual([0, 50, 50])
    expect(found.user(CREATOR)).toBe(rules.id === '12' ? Infinity : 100)
    expect(found.user(USER)).toBe(0)
  })
  it.each(ALL_VERSIONS)('reads them in a room of version $id', (rules) => {
    const content = {
      invite: 1,
      kick: 2,
      ban: 3,
      redact: 4,
      events_default: 5,
      state_default: 6,
      users_default: 7,
      users: { [USER]: 8 },
      events: { y: 9 },
      notifications: { room: 10 },
    }
    const found = powerLevels(
      stateOf([create(rules, { additional_creators: ['@more:a.example', 1] }), levels(rules, content)]),
    )
    expect([found.invite, found.kick, found.ban, found.redact]).toEqual([1, 2, 3, 4])
    expect([found.event('x', false), found.event('x', true), found.event('y', true)]).toEqual([5, 6, 9])
    expect([found.notification('room'), found.notification('x')]).toEqual([10, 50])
    expect([found.user(USER), found.user('@x:y'), found.user('__proto__')]).toEqual([8, 7, 7])
    expect(found.user(CREATOR)).toBe(rules.id === '12' ? Infinity : 7)
    expect(found.user('@more:a.example')).toBe(rules.id === '12' ? Infinity : 7)
  })
  it('is all defaults without any event', () => {
    const found = powerLevelsOf(undefined, undefined)
    expect([found.user(USER), found.ban, found.event('toString', true)]).toEqual([0, 50, 50])
  })
  it('has nobody with unlimited power where the create event is missing', () => {
    expect(powerLevelsOf(undefined, levels(rulesOf(12), { users: { [USER]: 5 } })).user(USER)).toBe(5)
    expect(powerLevelsOf(undefined, levels(rulesOf(12), {})).user(CREATOR)).toBe(0)
  })
  it('has no negative zero among floats that are cut off', () => {
    expect(powerLevelsOf(undefined, levels(rulesOf(1), { users: { [USER]: -0.5 } })).user(USER)).toBe(0)
  })
  it('reads additional_creators that are no list as nobody', () => {
    const odd = create(rulesOf(12), { additional_creators: USER })
    expect(powerLevelsOf(odd, undefined).user(USER)).toBe(0)
  })
})

describe('redactionApplies', () => {
  const rules = rulesOf(11)
  const room = powerLevels(stateOf([create(rules), levels(rules, { users: { '@mod:x.example': 50 } })]))
  const target = testEvent(rules, { id: '$target', sender: USER })
  const by = (sender: string, more: object = {}): boolean =>
    redactionApplies(
      testEvent(rules, { type: 'm.room.redaction', sender, redacts: '$target', ...more }),
      target,
      room,
    )
  it('to users of the same server and to those with the redact level', () => {
    expect(by(USER)).toBe(true)
    expect(by('@other:a.example')).toBe(true)
    expect(by('@other:b.example')).toBe(false)
    expect(by('@mod:x.example')).toBe(true)
  })
  it('never to other events, other rooms or the create event', () => {
    expect(by(USER, { redacts: '$else' })).toBe(false)
    expect(by(USER, { redacts: undefined })).toBe(false)
    expect(by(USER, { type: 'm.room.message' })).toBe(false)
    expect(by(USER, { roomId: '!other:a.example' })).toBe(false)
    const creation = create(rules)
    expect(
      redactionApplies(
        testEvent(rules, { type: 'm.room.redaction', sender: CREATOR, redacts: creation.id }),
        creation,
        room,
      ),
    ).toBe(false)
  })
  it('always in versions 1 and 2, where the auth rules have judged', () => {
    for (const version of [1, 2, 3]) {
      const old = rulesOf(version)
      const redaction = testEvent(old, {
        type: 'm.room.redaction',
        sender: '@other:b.example',
        redacts: '$target',
      })
      expect(redactionApplies(redaction, testEvent(old, { id: '$target' }), room)).toBe(version < 3)
    }
  })
})
