import { describe, expect, it } from '@jest/globals'
import { parsePagingToken, parseSyncToken, syncToken, topologicalToken } from './tokens.js'

const LOWEST = -(2 ** 52)

describe('tokens', () => {
  it('are read as they were written', () => {
    const token = { pos: 12, ephemeral: 1_795_000_000_000, toDevice: 7 }
    expect(parseSyncToken(syncToken(token))).toEqual(token)
    expect(parsePagingToken(syncToken(token))).toEqual({ pos: 12 })
    for (const place of [
      { depth: 3, ord: -2 },
      { depth: Number.MAX_SAFE_INTEGER, ord: 0 },
      { depth: 0, ord: LOWEST },
    ])
      expect(parsePagingToken(topologicalToken(place))).toEqual(place)
  })

  it.each([
    '',
    's1_1',
    's1_1_1_x',
    's1_-1_0_0',
    `s1_${'9'.repeat(16)}_0_0`,
    't1_9999999999999999_0',
    't1_1_9999999999999999',
    't1_1_-9007199254740991',
    't2_1_1',
    'latest',
  ])('that are %j are refused', (text) => {
    expect(() => parsePagingToken(text)).toThrow(expect.objectContaining({ errcode: 'M_INVALID_PARAM' }))
  })
})
