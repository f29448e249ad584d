import { describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../json/value.js'
import { ROOM_VERSIONS, roomVersion } from '../room-version/versions.js'
import { redact, redactedEvent } from './redact.js'
import type { Pdu, RoomEvent } from './types.js'

const ALL = [...ROOM_VERSIONS.values()]
const pdu = (type: string, content: JsonObject, more: JsonObject = {}): Pdu =>
  ({ ...more, type, content }) as unknown as Pdu

/** The keys that a redaction keeps of some content, by room version from `since` on (until the next row). */
const KEPT: readonly (readonly [type: string, since: number, keys: readonly string[]])[] = [
  ['m.room.member', 1, ['membership']],
  ['m.room.member', 9, ['join_authorised_via_users_server', 'membership']],
  ['m.room.create', 1, ['creator']],
  ['m.room.create', 11, ['additional_creators', 'aliases', 'allow', 'ban', 'creator', 'events', 'events_default', 'history_visibility', 'invite', 'join_authorised_via_users_server', 'join_rule', 'kick', 'membership', 'notifications', 'redact', 'redacts', 'state_default', 'users', 'users_default', 'x']],
  ['m.room.join_rules', 1, ['join_rule']],
  ['m.room.join_rules', 8, ['allow', 'join_rule']],
  ['m.room.power_levels', 1, ['ban', 'events', 'events_default', 'kick', 'redact', 'state_default', 'users', 'users_default']],
  ['m.room.power_levels', 11, ['ban', 'events', 'events_default', 'invite', 'kick', 'redact', 'state_default', 'users', 'users_default']],
  ['m.room.aliases', 1, ['aliases']],
  ['m.room.aliases', 6, []],
  ['m.room.history_visibility', 1, ['history_visibility']],
  ['m.room.redaction', 1, []],
  ['m.room.redaction', 11, ['redacts']],
  ['m.room.message', 1, []],
  ['m.room.third_party_invite', 1, []],
] // prettier-ignore

const EVERYTHING = Object.fromEntries(
  KEPT.flatMap(([, , keys]) => keys).map((key) => [key, `value of ${key}`]),
)

describe('redact', () => {
  const types = [...new Set(KEPT.map(([type]) => type))]
  const cases = types.flatMap((type) =>
    ALL.map((rules) => {
      const rows = KEPT.filter(([name, since]) => name === type && since <= Number(rules.id))
      return [type, rules.id, rows.at(-1)![2]] as const
    }),
  )
  it.each(cases)('keeps of the content of %s in room version %s: %j', (type, version, keys) => {
    const { content } = redact(pdu(type, EVERYTHING), roomVersion(version)!)
    expect(content).toEqual(Object.fromEntries(keys.map((key) => [key, `value of ${key}`])))
  })

  it.each(ALL)('keeps the right fields of the event in room version $id', (rules) => {
    const kept = [
      'event_id',
      'room_id',
      'sender',
      'state_key',
      'hashes',
      'signatures',
      'depth',
      'prev_events',
      'auth_events',
      'origin_server_ts',
    ]
    const old = ['prev_state', 'origin', 'membership']
    const dropped = ['unsigned', 'redacts', 'age_ts', 'x', 'prev_content', '__proto__', 'constructor']
    const more = JSON.parse(
      `{${[...kept, ...old, ...dropped].map((key) => `"${key}":"${key}"`).join()}}`,
    ) as JsonObject
    const result = redact(pdu('m.room.message', {}, more), rules)
    expect(Object.keys(result).sort()).toEqual(
      [...kept, ...(Number(rules.id) >= 11 ? [] : old), 'type', 'content'].sort(),
    )
  })

  it('keeps only what an identity server signed of a third-party invite, from room version 11', () => {
    const content = {
      membership: 'invite',
      third_party_invite: { display_name: 'x', signed: { token: 't' } },
    }
    for (const rules of ALL) {
      expect(redact(pdu('m.room.member', content), rules).content).toEqual(
        Number(rules.id) >= 11
          ? { membership: 'invite', third_party_invite: { signed: { token: 't' } } }
          : { membership: 'invite' },
      )
    }
    const v11 = roomVersion('11')!
    const without = { membership: 'invite', third_party_invite: { display_name: 'x' } }
    expect(redact(pdu('m.room.member', without), v11).content).toEqual({
      membership: 'invite',
      third_party_invite: {},
    })
    const junk = { membership: 'invite', third_party_invite: 'x' }
    expect(redact(pdu('m.room.member', junk), v11).content).toEqual({ membership: 'invite' })
  })

  it('changes nothing a second time, and never the original', () => {
    for (const rules of ALL) {
      for (const type of types) {
        const original = pdu(type, EVERYTHING, { unsigned: {}, origin: 'a', redacts: '$x' })
        const copy = structuredClone(original)
        const once = redact(original, rules)
        expect(redact(once, rules)).toEqual(once)
        expect(original).toEqual(copy)
      }
    }
  })

  it('makes a redacted event that is the same event with less in it', () => {
    for (const rules of ALL) {
      const whole = pdu('m.room.redaction', { redacts: '$x', reason: 'y' }, { redacts: '$x' })
      const event = {
        id: '$e',
        rules,
        content: whole.content,
        redacts: '$x',
        pdu: whole,
      } as unknown as RoomEvent
      const inContent = Number(rules.id) >= 11
      expect(redactedEvent(event)).toEqual({
        id: '$e',
        rules,
        content: inContent ? { redacts: '$x' } : {},
        redacts: inContent ? '$x' : undefined,
        pdu: redact(whole, rules),
      })
    }
  })
})
