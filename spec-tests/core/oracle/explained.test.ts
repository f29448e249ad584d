import { describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../../../src/core/json/value.js'
import { ROOM_VERSIONS } from '../../../src/core/room-version/versions.js'
import type { Difference } from './compare.js'
import { explain, EXPLAINED } from './explained.js'

const ABOUT: readonly Difference['about'][] = [
  'id', 'hash', 'reference', 'redacted', 'hash-verdict', 'before', 'verdict', 'leaves', 'format', 'crash',
] // prettier-ignore
const pdu: JsonObject = {
  type: 'm.room.member',
  sender: '@alice:a.example',
  state_key: '@alice:a.example',
  room_id: '!room:a.example',
  content: { membership: 'join' },
}

describe('the differences that are explained', () => {
  it('each have a name of their own, a reason and a place in the specification', () => {
    expect(new Set(EXPLAINED.map(({ name }) => name)).size).toBe(EXPLAINED.length)
    for (const { because, link } of EXPLAINED) {
      expect(because.length).toBeGreaterThan(40)
      expect(link).toMatch(/^https:\/\/spec\.matrix\.org\/v1\.19\//)
    }
  })

  it.each(ABOUT)('do not cover just any difference about %s of an ordinary event', (about) => {
    for (const rules of ROOM_VERSIONS.values()) {
      for (const [ours, theirs, rule] of [
        ['ok', 'claimed: You are not invited to this room.', ''],
        ['claimed: power_levels.users.equal', 'ok', 'power_levels.users.equal'],
        ['before: sender', 'ok', 'sender'],
        ['0,1,2', '0,1,3', ''],
        ['dropped: malformed event: content', 'ok', 'format.field'],
        ['ok', 'dropped: event too large', ''],
      ] as const) {
        expect(explain({ about, rules, place: 1, pdu, ours, theirs, rule })).toBeUndefined()
      }
    }
  })
})
