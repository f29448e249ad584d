import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { canonicalJson } from '../json/canonical.js'
import { parseJson } from '../json/parse.js'
import { RawNumber, type Json, type JsonObject } from '../json/value.js'
import { ROOM_VERSIONS, roomVersion } from '../room-version/versions.js'
import type { RoomVersionRules } from '../room-version/rules.js'
import { buildEvent, type EventFields } from './build.js'
import { clientEvent, strippedEvent } from './client-view.js'
import { readPdu } from './format.js'
import { contentHash, referenceHash, verifyContentHash } from './hash.js'
import { redact, redactedEvent } from './redact.js'
import { requiredSigners, type Signer } from './sign.js'
import { checkFieldBytes, checkPduSize } from './size.js'
import type { Pdu, RoomEvent } from './types.js'

const ALL = [...ROOM_VERSIONS.values()]
const HASH = 'A'.repeat(42) + 'E'
const signer: Signer = { serverName: 'a.example', keyId: 'ed25519:1', sign: () => 'signature' }

const id = (rules: RoomVersionRules, name = 'A'): string =>
  rules.eventIds === 'on-the-wire' ? `$${name}:a.example` : `$${name.repeat(42)}E`
const roomId = (rules: RoomVersionRules): string => (rules.roomIds === 'opaque' ? '!r:a.example' : `!${HASH}`)
const refs = (rules: RoomVersionRules, ...names: string[]): Json =>
  names.map((name) =>
    rules.eventIds === 'on-the-wire' ? [id(rules, name), { sha256: 'x' }] : id(rules, name),
  )

const valid = (rules: RoomVersionRules): JsonObject => ({
  type: 'm.room.message',
  sender: '@u:a.example',
  room_id: roomId(rules),
  content: { body: 'hello' },
  depth: 7,
  origin_server_ts: 1_700_000_000_000,
  hashes: { sha256: 'x' },
  signatures: { 'a.example': { 'ed25519:1': 'y' } },
  prev_events: refs(rules, 'A', 'B'),
  auth_events: refs(rules, 'C'),
  ...(rules.eventIds === 'on-the-wire' ? { event_id: id(rules, 'self') } : {}),
})

const read = (json: Json, rules: RoomVersionRules): RoomEvent => {
  const result = readPdu(json, rules)
  if (!result.ok) throw new Error(result.reason)
  return result.event
}
const refused = (json: Json, rules: RoomVersionRules): string | undefined => {
  const result = readPdu(json, rules)
  return result.ok ? undefined : result.rule
}
const versions = (from: number, to = 12): RoomVersionRules[] =>
  ALL.filter((rules) => Number(rules.id) >= from && Number(rules.id) <= to)

describe.each(ALL)('an event of room version $id', (rules) => {
  it('is read into one shape', () => {
    const event = read({ ...valid(rules), unsigned: { age: 1 }, x: [1] }, rules)
    expect(event).toMatchObject({
      roomId: roomId(rules),
      rules,
      type: 'm.room.message',
      sender: '@u:a.example',
      stateKey: undefined,
      content: { body: 'hello' },
      depth: 7,
      originServerTs: 1_700_000_000_000,
      prevEvents: [id(rules, 'A'), id(rules, 'B')],
      authEvents: [id(rules, 'C')],
      redacts: undefined,
      pdu: { ...valid(rules), x: [1] },
    })
    expect(event.pdu).not.toHaveProperty('unsigned')
    expect(event.id).toBe(
      rules.eventIds === 'on-the-wire' ? id(rules, 'self') : `$${referenceHash(event.pdu, rules)}`,
    )
  })

  const without = (key: string): JsonObject => {
    const { [key]: _dropped, ...rest } = valid(rules)
    return rest
  }
  it.each([
    'type',
    'sender',
    'room_id',
    'content',
    'depth',
    'origin_server_ts',
    'hashes',
    'signatures',
    'prev_events',
    'auth_events',
  ])('is refused without %s', (key) => {
    expect(refused(without(key), rules)).toBe('format.field')
  })

  it.each<[string, Json]>([
    ['type', 1],
    ['type', null],
    ['type', 'a\u0000b'],
    ['type', 'a'.repeat(256)],
    ['state_key', 1],
    ['state_key', null],
    ['state_key', 'a\u0000b'],
    ['state_key', 'a'.repeat(256)],
    ['sender', 1],
    ['sender', 'u:a.example'],
    ['sender', '@u'],
    ['sender', '@u:a/b'],
    ['sender', `@${'u'.repeat(255)}:a.example`],
    ['room_id', 1],
    ['room_id', 'r:a.example'],
    ['room_id', '!r'],
    ['room_id', '!r:../x'],
    ['content', 'x'],
    ['content', []],
    ['content', null],
    ['depth', -1],
    ['depth', '1'],
    ['depth', null],
    ['depth', new RawNumber('1.0')],
    ['depth', new RawNumber('9223372036854775808')],
    ['depth', new RawNumber('-9007199254740993')],
    ['origin_server_ts', '1'],
    ['origin_server_ts', new RawNumber('1e3')],
    ['origin_server_ts', new RawNumber('9223372036854775808')],
    ['hashes', {}],
    ['hashes', []],
    ['hashes', { sha256: 1 }],
    ['hashes', { sha256: 'x', md5: 1 }],
    ['signatures', []],
    ['signatures', { a: 'x' }],
    ['signatures', { a: { k: 1 } }],
    ['prev_events', 'x'],
    ['prev_events', {}],
    ['prev_events', ['x']],
    ['prev_events', [1]],
    ['prev_events', [['$A:a.example']]],
    ['prev_events', [['$A:a.example', 'x']]],
    ['auth_events', null],
    ['auth_events', [{}]],
    ['auth_events', [['$A:a.example', {}, {}]]],
  ])('is refused with %s = %j', (key, value) => {
    // prettier-ignore
    expect(refused({ ...valid(rules), [key]: value }, rules)).toBe('format.field')
  })

  it.each<[string, Json]>([
    ['null', null],
    ['a string', 'x'],
    ['a list', []],
    ['a number', new RawNumber('1.0')],
  ])('is not %s', (_name, json) => {
    expect(refused(json, rules)).toBe('format.field')
  })

  it('has at most 20 previous events and 10 auth events', () => {
    const many = (count: number): Json =>
      refs(rules, ...Array.from({ length: count }, (_, n) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[n]!))
    expect(refused({ ...valid(rules), prev_events: many(20), auth_events: many(10) }, rules)).toBeUndefined()
    expect(refused({ ...valid(rules), prev_events: many(21) }, rules)).toBe('format.field')
    expect(refused({ ...valid(rules), auth_events: many(11) }, rules)).toBe('format.field')
    expect(read({ ...valid(rules), prev_events: [] }, rules).prevEvents).toEqual([])
  })

  it('has each previous event once, and auth events as sent', () => {
    const event = read(
      { ...valid(rules), prev_events: refs(rules, 'A', 'A'), auth_events: refs(rules, 'C', 'C') },
      rules,
    )
    expect(event.prevEvents).toEqual([id(rules, 'A')])
    expect(event.authEvents).toEqual([id(rules, 'C'), id(rules, 'C')])
  })

  it('takes 65,536 bytes at most, signatures included', () => {
    const sized = (bytes: number, unit = 'x'): JsonObject => {
      const empty = { ...valid(rules), content: { body: '' } }
      const rest = bytes - canonicalJson(empty, 'lenient').length
      const per = Buffer.byteLength(unit)
      return { ...empty, content: { body: unit.repeat(Math.floor(rest / per)) + 'x'.repeat(rest % per) } }
    }
    for (const unit of ['x', 'é', '～']) {
      expect(refused(sized(65_536, unit), rules)).toBeUndefined()
      expect(refused(sized(65_537, unit), rules)).toBe('format.size')
    }
    expect(checkPduSize(sized(100_000), rules).ok).toBe(false)
  })

  it('must be of the room that it was sent for', () => {
    expect(readPdu(valid(rules), rules, { roomId: roomId(rules) }).ok).toBe(true)
    expect(readPdu(valid(rules), rules, { roomId: '!other:a.example' }).ok).toBe(false)
  })

  it('may have an empty state key, a historical sender and any unknown fields', () => {
    expect(read({ ...valid(rules), state_key: '' }, rules).stateKey).toBe('')
    expect(read({ ...valid(rules), sender: '@Ü x:a.example' }, rules).sender).toBe('@Ü x:a.example')
    expect(read({ ...valid(rules), origin: 'x', redacts: 1 }, rules).pdu['origin']).toBe('x')
  })

  it('has no lone surrogates anywhere', () => {
    expect(refused({ ...valid(rules), content: { body: '\ud800' } }, rules)).toBe('format.json')
    expect(refused({ ...valid(rules), type: '\ud800' }, rules)).toBe('format.field')
  })

  it('says which event it redacts, where its room version keeps that', () => {
    const redaction = {
      ...valid(rules),
      type: 'm.room.redaction',
      redacts: '$top',
      content: { redacts: '$in' },
    }
    expect(read(redaction, rules).redacts).toBe(Number(rules.id) >= 11 ? '$in' : '$top')
    expect(read({ ...redaction, type: 'm.room.message' }, rules).redacts).toBeUndefined()
    expect(read({ ...redaction, redacts: 1, content: { redacts: 1 } }, rules).redacts).toBeUndefined()
  })

  it('keeps its id when it is redacted, and its content hash says whether it was', () => {
    const event = buildEvent(fields(rules), rules, signer)
    expect(verifyContentHash(event.pdu, rules)).toBe(true)
    const bare = redactedEvent(event)
    expect(read(bare.pdu, rules).id).toBe(event.id)
    expect(referenceHash(bare.pdu, rules)).toBe(referenceHash(event.pdu, rules))
    expect(verifyContentHash(bare.pdu, rules)).toBe(false)
    expect(verifyContentHash({ ...event.pdu, hashes: { sha256: 1 } } as Pdu, rules)).toBe(false)
    expect(verifyContentHash({ ...event.pdu, hashes: [] } as unknown as Pdu, rules)).toBe(false)
    const padded = `${event.pdu.hashes['sha256'] as string}=`
    expect(verifyContentHash({ ...event.pdu, hashes: { sha256: padded } }, rules)).toBe(true)
  })
})

describe('numbers in events', () => {
  it.each(versions(6))('must be safe integers in room version $id', (rules) => {
    for (const text of ['1.0', '1e3', '-0', '9007199254740992']) {
      expect(refused({ ...valid(rules), content: { a: { b: [new RawNumber(text)] } } }, rules)).toBe(
        'format.json',
      )
      expect(refused({ ...valid(rules), depth: new RawNumber(text) }, rules)).toBe('format.field')
    }
    expect(read({ ...valid(rules), depth: Number.MAX_SAFE_INTEGER }, rules).depth).toBe(
      Number.MAX_SAFE_INTEGER,
    )
  })
  it.each(versions(1, 5))(
    'may be anything in the content, and big integers elsewhere, in room version $id',
    (rules) => {
      const max = new RawNumber('9223372036854775807')
      const event = read(
        {
          ...valid(rules),
          depth: max,
          origin_server_ts: new RawNumber('-0'),
          content: { a: new RawNumber('1.50') },
        },
        rules,
      )
      expect(event.depth).toBe(Number.MAX_SAFE_INTEGER)
      expect(event.originServerTs).toBe(0)
      expect(event.pdu.depth).toBe(max)
      expect(refused({ ...valid(rules), content: { a: new RawNumber('1e400') } }, rules)).toBe('format.json')
    },
  )
})

describe('lengths of type and state key', () => {
  it.each(versions(11))('are bytes in room version $id', (rules) => {
    for (const key of ['type', 'state_key']) {
      expect(refused({ ...valid(rules), [key]: 'é'.repeat(127) }, rules)).toBeUndefined()
      expect(refused({ ...valid(rules), [key]: 'é'.repeat(128) }, rules)).toBe('format.field')
    }
  })
  it.each(versions(1, 10))(
    'are code points in room version $id, and above 255 bytes the event is rejected',
    (rules) => {
      for (const key of ['type', 'state_key']) {
        expect(checkFieldBytes(read({ ...valid(rules), [key]: 'é'.repeat(127) }, rules)).ok).toBe(true)
        const long = read({ ...valid(rules), [key]: '😀'.repeat(255) }, rules)
        expect(checkFieldBytes(long)).toMatchObject({ ok: false, rule: 'size.field' })
        expect(refused({ ...valid(rules), [key]: '😀'.repeat(256) }, rules)).toBe('format.field')
        expect(refused({ ...valid(rules), [key]: 'é'.repeat(300) }, rules)).toBe('format.field')
      }
    },
  )
})

describe('ids', () => {
  it.each(versions(1, 2))('are on the wire in room version $id', (rules) => {
    for (const bad of [undefined, 1, 'x', '$x', `$${'x'.repeat(255)}:a.example`]) {
      expect(refused({ ...valid(rules), event_id: bad as Json }, rules)).toBe('format.field')
    }
    expect(refused({ ...valid(rules), prev_events: refs(rules, 'self') }, rules)).toBe('format.field')
    expect(refused({ ...valid(rules), auth_events: refs(rules, 'self') }, rules)).toBe('format.field')
  })
  it.each(versions(3))('are computed in room version $id, whatever the event says', (rules) => {
    const plain = read(valid(rules), rules)
    const claimed = read({ ...valid(rules), event_id: '$mine' }, rules)
    expect(claimed.id).not.toBe('$mine')
    expect(claimed.id).toBe(`$${referenceHash(claimed.pdu, rules)}`)
    expect(plain.id).toMatch(Number(rules.id) === 3 ? /^\$[A-Za-z0-9+/]{43}$/ : /^\$[A-Za-z0-9_-]{43}$/)
    expect(refused({ ...valid(rules), prev_events: ['$x:a.example'] }, rules)).toBe('format.field')
  })
  it('of room version 3 are in standard base64, later ones in the URL-safe alphabet', () => {
    const standard = `$${'+'.repeat(41)}/A`
    const urlSafe = `$${'-'.repeat(41)}_A`
    expect(
      refused({ ...valid(roomVersion('3')!), prev_events: [standard] }, roomVersion('3')!),
    ).toBeUndefined()
    expect(refused({ ...valid(roomVersion('3')!), prev_events: [urlSafe] }, roomVersion('3')!)).toBe(
      'format.field',
    )
    expect(
      refused({ ...valid(roomVersion('4')!), prev_events: [urlSafe] }, roomVersion('4')!),
    ).toBeUndefined()
    expect(refused({ ...valid(roomVersion('4')!), prev_events: [standard] }, roomVersion('4')!)).toBe(
      'format.field',
    )
  })

  const v12 = roomVersion('12')!
  const create = (more: JsonObject = {}): JsonObject => {
    const { room_id: _roomId, ...rest } = valid(v12)
    return { ...rest, type: 'm.room.create', state_key: '', ...more }
  }
  it('of rooms of version 12 are the hash of the create event', () => {
    const event = read(create(), v12)
    expect(event.roomId).toBe(`!${event.id.slice(1)}`)
    expect(readPdu(create(), v12, { roomId: event.roomId }).ok).toBe(true)
    expect(readPdu(create(), v12, { roomId: roomId(v12) }).ok).toBe(false)
    expect(refused(create({ room_id: event.roomId }), v12)).toBe('format.field')
    expect(refused({ ...valid(v12), room_id: '!r:a.example' }, v12)).toBe('format.field')
    expect(refused(create({ state_key: 'x' }), v12)).toBe('format.field')
    expect(read(create({ state_key: 'x', room_id: roomId(v12) }), v12).roomId).toBe(roomId(v12))
  })
  it('of rooms of older versions stand in the create event too', () => {
    for (const rules of versions(1, 11)) {
      const event = { ...valid(rules), type: 'm.room.create', state_key: '' }
      expect(read(event, rules).roomId).toBe('!r:a.example')
      expect(refused({ ...event, room_id: `!${HASH}` }, rules)).toBe('format.field')
    }
  })
})

function fields(rules: RoomVersionRules, more: Partial<EventFields> = {}): EventFields {
  return {
    type: 'm.room.message',
    sender: '@u:a.example',
    roomId: roomId(rules),
    content: { body: 'hello' },
    depth: 2,
    originServerTs: 1000,
    prevEvents: [id(rules, 'A')],
    authEvents: [id(rules, 'C')],
    eventId: id(rules, 'self'),
    ...more,
  }
}

describe.each(ALL)('buildEvent in room version $id', (rules) => {
  it('makes an event that every server reads the same', () => {
    const event = buildEvent(fields(rules, { stateKey: 'k' }), rules, signer)
    expect(event.pdu.signatures).toEqual({ 'a.example': { 'ed25519:1': 'signature' } })
    expect(event.stateKey).toBe('k')
    const text = canonicalJson(event.pdu, 'lenient')
    const again = parseJson(text)
    expect(again.ok && read(again.value, rules)).toEqual(event)
    expect(Object.hasOwn(event.pdu, 'event_id')).toBe(rules.eventIds === 'on-the-wire')
  })
  it('signs the redacted event with its hash in it', () => {
    let signed = ''
    const event = buildEvent(fields(rules), rules, {
      ...signer,
      sign: (bytes) => {
        signed = Buffer.from(bytes).toString()
        return 'signature'
      },
    })
    const { signatures: _signatures, ...rest } = redact(event.pdu, rules)
    expect(signed).toBe(canonicalJson(rest, 'lenient'))
    expect(event.pdu.hashes).toEqual({ sha256: contentHash(event.pdu, rules) })
  })
  it('puts redacts where the room version wants it', () => {
    const event = buildEvent(
      fields(rules, { type: 'm.room.redaction', redacts: '$x', content: { reason: 'r' } }),
      rules,
      signer,
    )
    expect(event.redacts).toBe('$x')
    const inContent = Number(rules.id) >= 11
    expect(event.content).toEqual(inContent ? { reason: 'r', redacts: '$x' } : { reason: 'r' })
    expect(event.pdu['redacts']).toBe(inContent ? undefined : '$x')
    expect(clientEvent(event)).toMatchObject({ redacts: '$x', content: { reason: 'r', redacts: '$x' } })
  })
  it('throws M_TOO_LARGE and M_BAD_JSON', () => {
    const build = (more: Partial<EventFields>) => () => buildEvent(fields(rules, more), rules, signer)
    expect(build({ content: { body: 'x'.repeat(66_000) } })).toThrow(
      expect.objectContaining({ errcode: 'M_TOO_LARGE' }),
    )
    expect(build({ content: { body: '\ud800' } })).toThrow(expect.objectContaining({ errcode: 'M_BAD_JSON' }))
    expect(build({ type: 'x'.repeat(256) })).toThrow(expect.objectContaining({ errcode: 'M_BAD_JSON' }))
    if (rules.strictCanonicalJson) {
      expect(build({ content: { n: new RawNumber('1.5') } })).toThrow(
        expect.objectContaining({ errcode: 'M_BAD_JSON' }),
      )
    }
  })
  it('lets other errors pass', () => {
    const broken: Signer = {
      ...signer,
      sign: () => {
        throw new TypeError('no key')
      },
    }
    expect(() => buildEvent(fields(rules), rules, broken)).toThrow(TypeError)
  })
})

it('buildEvent names known reference hashes in room versions 1 and 2', () => {
  const v1 = roomVersion('1')!
  const event = buildEvent(
    fields(v1, { referenceHashOf: (name) => (name === id(v1, 'A') ? 'hash' : undefined) }),
    v1,
    signer,
  )
  expect(event.pdu['prev_events']).toEqual([[id(v1, 'A'), { sha256: 'hash' }]])
  expect(event.pdu['auth_events']).toEqual([[id(v1, 'C'), {}]])
})

describe('what clients see', () => {
  const v11 = roomVersion('11')!
  it('is a message event with its id and room', () => {
    const event = read({ ...valid(v11), unsigned: { x: 1 } }, v11)
    expect(clientEvent(event)).toEqual({
      type: 'm.room.message',
      sender: '@u:a.example',
      content: { body: 'hello' },
      event_id: event.id,
      origin_server_ts: 1_700_000_000_000,
      room_id: '!r:a.example',
    })
  })
  it('has a state key for state events, our unsigned, and no room in a sync', () => {
    const event = read({ ...valid(v11), state_key: '' }, v11)
    const view = clientEvent(event, { unsigned: { age: 1 }, omitRoomId: true })
    expect(view).toMatchObject({ state_key: '', unsigned: { age: 1 } })
    expect(view).not.toHaveProperty('room_id')
  })
  it('is four fields when stripped', () => {
    const event = read({ ...valid(v11), state_key: 'k', type: 'm.room.name' }, v11)
    expect(strippedEvent(event)).toEqual({
      type: 'm.room.name',
      sender: '@u:a.example',
      state_key: 'k',
      content: { body: 'hello' },
    })
    expect(strippedEvent(read(valid(v11), v11))['state_key']).toBe('')
  })
})

describe('requiredSigners', () => {
  const member = (rules: RoomVersionRules, content: JsonObject): RoomEvent =>
    read(
      {
        ...valid(rules),
        type: 'm.room.member',
        state_key: '@u:a.example',
        content,
        ...(rules.eventIds === 'on-the-wire' ? { event_id: '$x:e.example' } : {}),
      },
      rules,
    )
  it.each(ALL)('in room version $id', (rules) => {
    const version = Number(rules.id)
    const origin = version <= 2 ? ['e.example'] : []
    const servers = (content: JsonObject): unknown => requiredSigners(member(rules, content))
    expect(servers({ membership: 'join' })).toEqual({ ok: true, servers: ['a.example', ...origin] })
    expect(servers({ membership: 'invite', third_party_invite: {} })).toEqual({ ok: true, servers: origin })
    expect(servers({ membership: 'join', third_party_invite: {} })).toEqual({
      ok: true,
      servers: ['a.example', ...origin],
    })
    expect(servers({ membership: 'join', join_authorised_via_users_server: '@b:b.example' })).toEqual({
      ok: true,
      servers: ['a.example', ...origin, ...(version >= 8 ? ['b.example'] : [])],
    })
    for (const bad of [1, 'b', '@b']) {
      const verdict = servers({ membership: 'join', join_authorised_via_users_server: bad })
      expect(verdict).toMatchObject({ ok: version < 8 })
    }
    const message = read(
      {
        ...valid(rules),
        content: {
          membership: 'invite',
          third_party_invite: {},
          join_authorised_via_users_server: '@b:b.example',
        },
      },
      rules,
    )
    expect(requiredSigners(message)).toEqual({ ok: true, servers: ['a.example'] })
  })
})

describe('hashes', () => {
  const json = fc.dictionary(
    fc.string(),
    fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.array(fc.integer(), { maxLength: 3 })),
    { maxKeys: 5, noNullPrototype: true },
  )
  const types = fc.constantFrom(
    'm.room.member',
    'm.room.create',
    'm.room.power_levels',
    'm.room.join_rules',
    'm.room.message',
    'm.room.redaction',
  )
  it('stay the same under redaction, unsigned data and more signatures; the content hash sees every other change', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...versions(3, 11)),
        types,
        json,
        json,
        (rules, type, content, unsigned) => {
          const event = read({ ...valid(rules), type, state_key: 'x', content }, rules)
          const extended = read(
            { ...event.pdu, unsigned, signatures: { ...event.pdu.signatures, z: { k: 'v' } } },
            rules,
          )
          const bare = redact(event.pdu, rules)
          expect(redact(bare, rules)).toEqual(bare)
          expect(extended.id).toBe(event.id)
          expect(read(bare, rules).id).toBe(event.id)
          expect(contentHash(extended.pdu, rules)).toBe(contentHash(event.pdu, rules))
          expect(contentHash({ ...event.pdu, extra: 1 }, rules)).not.toBe(contentHash(event.pdu, rules))
        },
      ),
    )
  })
})
