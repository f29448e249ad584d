import { describe, expect, test } from '@jest/globals'
import type { Json } from '../json/value.js'
import { MAX_STICKY_MS, stickyDuration, stickyMember, stickyUntil } from './sticky.js'
import type { RoomEvent } from './types.js'

const event = (sticky: Json | undefined, originServerTs = 1_000): RoomEvent =>
  ({ originServerTs, pdu: sticky === undefined ? {} : { msc4354_sticky: sticky } }) as unknown as RoomEvent

describe('a sticky event', () => {
  test('sticks for as long as it says, from when it was sent', () => {
    const made = { originServerTs: 1_000, pdu: stickyMember(60_000) } as unknown as RoomEvent
    expect(stickyUntil(made, 5_000)).toBe(61_000)
  })

  test('from the future sticks from when it was received', () => {
    expect(stickyUntil(event({ duration_ms: 60_000 }, 9_000_000), 5_000)).toBe(65_000)
  })

  test('sticks for an hour at most', () => {
    expect(stickyDuration(event({ duration_ms: 1e15 }))).toBe(MAX_STICKY_MS)
  })

  test.each<[string, Json | undefined]>([
    ['nothing', undefined],
    ['no object', 5],
    ['no duration', {}],
    ['a text', { duration_ms: '5' }],
    ['a fraction', { duration_ms: 0.5 }],
    ['a time before', { duration_ms: -1 }],
  ])('is none where it says %s', (_name, sticky) => {
    expect(stickyDuration(event(sticky))).toBeUndefined()
    expect(stickyUntil(event(sticky), 5_000)).toBeUndefined()
  })
})
