import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { slidingRequest, type SlidingBody } from './request.js'

const ranges = (wire: readonly (readonly [number, number])[]) =>
  slidingRequest({ lists: { all: { ranges: wire } } } satisfies SlidingBody, {}, '@a:b').lists.get('all')!
    .ranges

describe('the ranges of a list', () => {
  it('are looked at once each place, however the client cuts them up', () => {
    expect(ranges([[0, 9]])).toEqual([[0, 9]])
    expect(
      ranges([
        [20, 29],
        [0, 9],
        [5, 12],
        [13, 13],
      ]),
    ).toEqual([
      [0, 13],
      [20, 29],
    ])
    const range = fc.tuple(fc.nat(30), fc.nat(10)).map(([first, more]) => [first, first + more] as const)
    fc.assert(
      fc.property(fc.array(range, { maxLength: 20 }), (wire) => {
        const places = (list: readonly (readonly [number, number])[]): number[] =>
          list.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i))
        const found = places(ranges(wire) ?? [])
        expect(found).toEqual([...new Set(places(wire))].toSorted((a, b) => a - b))
      }),
    )
  })

  it('end after they begin', () => {
    expect(() => ranges([[5, 4]])).toThrow(expect.objectContaining({ errcode: 'M_INVALID_PARAM' }))
  })
})

describe('the extension of profiles', () => {
  const profiles = (wire: NonNullable<SlidingBody['extensions']>['org.matrix.msc4262.profiles']) =>
    slidingRequest({ extensions: { 'org.matrix.msc4262.profiles': wire ?? null } }, {}, '@a:b').profiles

  it('is on where the client says so, for all fields or some', () => {
    expect(profiles(null)).toBeUndefined()
    expect(profiles({ fields: ['displayname'] })).toBeUndefined()
    expect(profiles({ enabled: true })).toEqual({
      scope: { lists: new Set(['*']), rooms: new Set(['*']) },
      fields: undefined,
    })
    expect(profiles({ enabled: true, lists: [], fields: ['m.tz', 'displayname', 'm.tz'] })).toEqual({
      scope: { lists: new Set(), rooms: new Set(['*']) },
      fields: ['displayname', 'm.tz'],
    })
  })
})
