import { describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../json/value.js'
import { create, CREATOR, levels, rulesOf } from '../testing.js'
import { administratorsOf, handedOver, moderatorsOf, type PowerState } from './last-administrator.js'

const ANA = '@ana:a.example'
const BEN = '@ben:a.example'
const CLEO = '@cleo:a.example'

const room = (version: number, content: JsonObject | undefined, creation: JsonObject = {}): PowerState => {
  const rules = rulesOf(version)
  return {
    create: create(rules, creation),
    levels: content === undefined ? undefined : levels(rules, content),
  }
}

describe('who administers a room', () => {
  it('has level 100 or more', () => {
    const state = room(11, { users: { [BEN]: 100, [ANA]: 150, [CLEO]: 99 } })
    expect(administratorsOf(state)).toEqual([ANA, BEN])
  })

  it('is the creator where no levels are set', () => {
    expect(administratorsOf(room(11, undefined))).toEqual([CREATOR])
  })

  it('has made a room of version 12, alone or with others, whatever the levels say', () => {
    const state = room(12, { users: { [BEN]: 100 } }, { additional_creators: [CLEO] })
    expect(administratorsOf(state)).toEqual([CLEO, CREATOR, BEN])
    expect(administratorsOf(room(11, { users: { [BEN]: 100 } }, { additional_creators: [CLEO] }))).toEqual([
      BEN,
    ])
  })

  it('is everybody where everybody has the level', () => {
    expect(administratorsOf(room(11, { users_default: 100 }))).toBeUndefined()
    expect(administratorsOf(room(11, { users_default: 99 }))).toEqual([])
  })
})

describe('who has more power than others', () => {
  it('stands with those of the same level, the highest first, without administrators', () => {
    const users = { [ANA]: 50, [BEN]: 75, [CLEO]: 50, '@dan:a.example': 100, '@eve:a.example': 10 }
    expect(moderatorsOf(room(11, { users, users_default: 10 }))).toEqual([[BEN], [ANA, CLEO]])
  })
})

describe('the powers that are handed over', () => {
  const usersIn = (content: JsonObject): unknown => content['users']

  it('are as much as everything in the room takes, and no more', () => {
    const state = room(11, { users: { [ANA]: 200 }, events: { 'm.room.tombstone': 150 }, ban: 50 })
    expect(usersIn(handedOver(state, ANA, [BEN, CLEO]))).toEqual({ [ANA]: 200, [BEN]: 150, [CLEO]: 150 })
  })

  it('are 100 at the least, and never more than the giver has', () => {
    expect(usersIn(handedOver(room(11, { users: { [ANA]: 100 }, ban: 50 }), ANA, [BEN]))).toEqual({
      [ANA]: 100,
      [BEN]: 100,
    })
    const high = room(11, { users: { [ANA]: 100 }, events: { 'org.example.x': 900 } })
    expect(usersIn(handedOver(high, ANA, [BEN]))).toMatchObject({ [BEN]: 100 })
  })

  it('leave all else as it is', () => {
    const content = { users: { [ANA]: 100 }, invite: 50, events: { 'm.room.name': 50 } }
    expect(handedOver(room(11, content), ANA, [BEN])).toEqual({
      ...content,
      users: { [ANA]: 100, [BEN]: 100 },
    })
  })

  it('of a creator of version 12 suffice for an upgrade', () => {
    const state = room(12, { users: {}, events: { 'm.room.tombstone': 150 } })
    expect(usersIn(handedOver(state, CREATOR, [BEN]))).toEqual({ [BEN]: 150 })
    expect(usersIn(handedOver(room(12, undefined), CREATOR, [BEN]))).toEqual({ [BEN]: 100 })
  })
})
