import { describe, expect, it } from '@jest/globals'
import type { RoomVersionRules } from './rules.js'
import { PROPOSED_ROOM_VERSIONS, ROOM_VERSIONS, roomVersion } from './versions.js'

// One row per rule, one column per room version, as the specification's pages tell it.
const TABLE: {
  readonly [K in keyof Omit<RoomVersionRules, 'id' | 'stable'>]: readonly RoomVersionRules[K][]
} = {
  eventIds: ['on-the-wire', 'on-the-wire', 'hash', ...Array<'hash-url-safe'>(9).fill('hash-url-safe')],
  roomIds: [...Array<'opaque'>(11).fill('opaque'), 'create-hash'],
  stateResolution: ['v1', ...Array<'v2'>(10).fill('v2'), 'v2.1'],
  strictCanonicalJson: from(6),
  enforceKeyValidity: from(5),
  signedByEventIdDomain: upTo(2),
  aliasesAuthRule: upTo(5),
  redactionAuthRule: upTo(2),
  powerLevels: [
    ...Array<'lenient'>(5).fill('lenient'),
    ...Array<'integers-or-strings'>(4).fill('integers-or-strings'),
    ...Array<'integers'>(3).fill('integers'),
  ],
  limitNotificationsPowerLevels: from(6),
  knock: from(7),
  restrictedJoin: from(8),
  knockRestricted: from(10),
  creator: [...Array<'content'>(10).fill('content'), 'sender', 'privileged'],
  redaction: ['v1', 'v1', 'v1', 'v1', 'v1', 'v6', 'v6', 'v8', 'v9', 'v9', 'v11', 'v11'],
  redactsIn: [...Array<'event'>(10).fill('event'), 'content', 'content'],
  ownedState: upTo(0),
}

function from(version: number): boolean[] {
  return Array.from({ length: 12 }, (_, index) => index + 1 >= version)
}
function upTo(version: number): boolean[] {
  return from(version + 1).map((value) => !value)
}

describe('room versions', () => {
  it('are 1 to 12, all stable and frozen', () => {
    expect([...ROOM_VERSIONS.keys()]).toEqual(Array.from({ length: 12 }, (_, index) => String(index + 1)))
    for (const [id, rules] of ROOM_VERSIONS) {
      expect(rules.id).toBe(id)
      expect(rules.stable).toBe(true)
      expect(Object.isFrozen(rules)).toBe(true)
    }
  })

  it.each(Object.entries(TABLE))('differ in %s as the specification says', (rule, row) => {
    expect([...ROOM_VERSIONS.values()].map((rules) => rules[rule as keyof RoomVersionRules])).toEqual(row)
  })

  it('have those of a proposal beside them, which differ from theirs in one rule', () => {
    expect([...PROPOSED_ROOM_VERSIONS.keys()]).toEqual(['org.matrix.msc3757.10', 'org.matrix.msc3757.11'])
    for (const [id, rules] of PROPOSED_ROOM_VERSIONS) {
      expect(Object.isFrozen(rules)).toBe(true)
      expect(roomVersion(id)).toEqual({
        ...roomVersion(id.slice(-2)),
        id,
        stable: false,
        ownedState: true,
      })
    }
  })

  it('are looked up by id, and nothing else is one', () => {
    expect(roomVersion('12')?.roomIds).toBe('create-hash')
    for (const id of ['', '0', '13', 'constructor', '__proto__', 'org.example.v1'])
      expect(roomVersion(id)).toBeUndefined()
  })
})
