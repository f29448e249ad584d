import { describe, expect, it } from '@jest/globals'
import * as fc from 'fast-check'
import {
  lookupOf,
  requiredState,
  requiredStateFrom,
  stateRequestOfFields,
  stateRequestOfPairs,
  type StateRequest,
} from './required-state.js'

const ME = '@me:x'
const pairs = (...list: [string, string][]): StateRequest => stateRequestOfPairs(list, ME)
const fields = (wish: Partial<Parameters<typeof stateRequestOfFields>[0]>): StateRequest =>
  stateRequestOfFields({ include: [], exclude: [], lazyMembers: false, ...wish }, ME)
const wanted = (...requests: StateRequest[]): ((key: string) => boolean) => {
  const required = requiredState(requests)
  return (key) => {
    const [type, stateKey] = key.split('|')
    return required.wants(type!, stateKey!)
  }
}

describe('a list of types and keys', () => {
  it('gives what it names, with stars and the user', () => {
    const wants = wanted(
      pairs(['m.room.name', ''], ['m.space.child', '*'], ['*', '@k:x'], ['m.room.member', '$ME']),
    )
    expect(['m.room.name|', 'm.space.child|!a:x', 'any|@k:x', `m.room.member|${ME}`].every(wants)).toBe(true)
    expect(['m.room.name|x', 'm.room.topic|', 'm.room.member|@o:x', 'm.room.member|$ME'].some(wants)).toBe(
      false,
    )
  })

  it('narrows everything by its other entries', () => {
    const wants = wanted(pairs(['*', '*'], ['m.room.member', '@a:x'], ['m.room.member', '$LAZY']))
    expect(['m.room.topic|', 'any|key', 'm.room.member|@a:x'].every(wants)).toBe(true)
    expect(wants('m.room.member|@b:x')).toBe(false)
  })

  it('loads members lazily unless another rule wants them all', () => {
    const lazy = pairs(['m.room.member', '$LAZY'])
    expect(requiredState([lazy]).lazyMembers).toBe(true)
    expect(requiredState([lazy, pairs(['m.room.member', '*'])]).lazyMembers).toBe(false)
    expect(requiredState([lazy, pairs(['*', '*'])]).lazyMembers).toBe(false)
    expect(requiredState([pairs(['*', '*'], ['m.room.member', '$LAZY'])]).lazyMembers).toBe(true)
  })
})

describe('a request by fields', () => {
  it('gives what is included and not excluded', () => {
    const wants = wanted(fields({ include: [{}], exclude: [{ type: 'm.room.create', stateKey: '' }] }))
    expect(wants('m.room.create|x')).toBe(true)
    expect(wants('m.room.create|')).toBe(false)
  })

  it('leaves members to lazy loading but for those that it names', () => {
    const request = fields({
      include: [
        {},
        { type: 'm.room.member', stateKey: '$ME' },
        { type: 'm.room.member', stateKey: '@out:x' },
      ],
      exclude: [{ stateKey: '@out:x' }],
      lazyMembers: true,
    })
    const wants = wanted(request)
    expect(wants(`m.room.member|${ME}`)).toBe(true)
    expect(['m.room.member|@b:x', 'm.room.member|@out:x', 'any|@out:x'].some(wants)).toBe(false)
    expect(requiredState([request]).lazyMembers).toBe(true)
  })
})

const word = fc.constantFrom('*', 'm.room.member', 'm.room.name', 'a', '', '$ME', '$LAZY', '__proto__')
const request = fc.array(fc.tuple(word, word), { maxLength: 5 }).map((list) => stateRequestOfPairs(list, ME))

describe('several requests together', () => {
  it('give what any of them gives, and are known by the same text in any order', () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 4 }), word, word, (requests, type, stateKey) => {
        const all = requiredState(requests)
        expect(all.wants(type, stateKey)).toBe(
          requests.some((one) => requiredState([one]).wants(type, stateKey)),
        )
        expect(requiredState([...requests, ...requests].toReversed()).id).toBe(all.id)
        const again = requiredStateFrom(all.id)
        expect([again.id, again.lazyMembers, again.wants(type, stateKey)]).toEqual([
          all.id,
          all.lazyMembers,
          all.wants(type, stateKey),
        ])
      }),
    )
  })

  it('are never looked up in less than what they give', () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 4 }), word, word, (requests, type, stateKey) => {
        const all = requiredState(requests)
        const { keys, types, everything } = lookupOf(all)
        const found =
          everything ||
          types.includes(type) ||
          keys.some((key) => key.type === type && key.stateKey === stateKey)
        expect(found || !all.wants(type, stateKey)).toBe(true)
      }),
    )
  })
})
