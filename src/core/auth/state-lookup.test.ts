import { describe, expect, it } from '@jest/globals'
import type { Json } from '../json/value.js'
import { create, CREATOR, joinRules, levels, member, rulesOf, stateOf, testEvent } from '../testing.js'
import { additionalCreators, creatorOf, isPrivilegedCreator, joinRule, membershipOf } from './state-lookup.js'

const USER = '@user:a.example'

describe('membershipOf', () => {
  it.each<[Json, string | undefined]>([
    ['join', 'join'],
    ['invite', 'invite'],
    ['leave', 'leave'],
    ['ban', 'ban'],
    ['knock', 'knock'],
    ['Join', undefined],
    ['', undefined],
    [1, undefined],
    [null, undefined],
    [['join'], undefined],
  ])('reads %j as %j', (membership, expected) => {
    expect(membershipOf(stateOf([member(rulesOf(11), USER, membership)]), USER)).toBe(expected)
  })
  it('knows nothing of users without a member event, or with one that says nothing', () => {
    expect(membershipOf(stateOf([]), USER)).toBeUndefined()
    const silent = testEvent(rulesOf(11), { type: 'm.room.member', stateKey: USER })
    expect(membershipOf(stateOf([silent]), USER)).toBeUndefined()
  })
})

describe('joinRule', () => {
  const rules = rulesOf(11)
  it.each<[Json, string | undefined]>([
    ['public', 'public'],
    ['knock_restricted', 'knock_restricted'],
    ['made-up', 'made-up'],
    [1, undefined],
    [null, undefined],
    [['public'], undefined],
  ])('reads %j as %j', (rule, expected) => {
    expect(joinRule(stateOf([joinRules(rules, rule)]))).toBe(expected)
  })
  it('is invite where nothing is said', () => {
    expect(joinRule(stateOf([]))).toBe('invite')
    expect(joinRule(stateOf([testEvent(rules, { type: 'm.room.join_rules', stateKey: '' })]))).toBe('invite')
  })
})

describe('creatorOf', () => {
  it.each<[Json, string | undefined]>([
    [USER, USER],
    [1, undefined],
    [null, undefined],
    [[USER], undefined],
  ])('reads the creator %j of old room versions as %j, and asks the sender later', (creator, expected) => {
    expect(creatorOf(create(rulesOf(10), { creator }))).toBe(expected)
    expect(creatorOf(create(rulesOf(11), { creator }))).toBe(CREATOR)
    expect(creatorOf(create(rulesOf(12), { creator }))).toBe(CREATOR)
  })
})

describe('additionalCreators', () => {
  it.each<[Json, readonly string[]]>([
    [
      [USER, CREATOR],
      [USER, CREATOR],
    ],
    [[USER, 1, null, [CREATOR]], [USER]],
    [[], []],
    [USER, []],
    [{ 0: USER }, []],
    [null, []],
  ])('are the strings of %j', (list, expected) => {
    expect(additionalCreators(create(rulesOf(12), { additional_creators: list }))).toEqual(expected)
  })
  it('have unlimited power beside the sender, since version 12', () => {
    for (const version of [11, 12]) {
      const creation = create(rulesOf(version), { additional_creators: [USER] })
      expect(isPrivilegedCreator(creation, USER)).toBe(version === 12)
      expect(isPrivilegedCreator(creation, CREATOR)).toBe(version === 12)
      expect(isPrivilegedCreator(creation, '@other:a.example')).toBe(false)
    }
  })
  it('are nobody where nothing is said', () => {
    expect(additionalCreators(create(rulesOf(12)))).toEqual([])
    expect(additionalCreators(levels(rulesOf(12), {}))).toEqual([])
  })
})
