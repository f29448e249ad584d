import { describe, expect, it } from '@jest/globals'
import { Compile } from 'typebox/schema'
import { createChecker, type ContractChecker, type Seen } from './checker.js'
import { loadDefinitions, SPEC_DATA, type Definitions } from './definitions.js'
import type { JsonObject } from './json.js'
import { applyOverlay } from './overlay.js'
import { tightening } from './tightening.js'
import { unknownFields } from './unknown-fields.js'

const definitions: Definitions | undefined = loadDefinitions()
if (definitions === undefined)
  console.log(`no API definitions at ${SPEC_DATA}: the checker is tested in part`)
const withDefinitions = definitions === undefined ? describe.skip : describe
const checker: ContractChecker | undefined = definitions && createChecker(definitions, tightening)

const seen = (method: string, path: string, status: number, body: unknown): Seen => ({
  method,
  path,
  status,
  contentType: 'application/json',
  body,
})
const faults = (method: string, path: string, status: number, body: unknown): string[] =>
  checker!.check(seen(method, path, status, body))

const EVENT = {
  type: 'm.room.message',
  content: { body: 'x', msgtype: 'm.text' },
  sender: '@a:b',
  event_id: '$e',
  origin_server_ts: 1,
  unsigned: { age: 1 },
}
const syncWith = (room: object): JsonObject =>
  structuredClone({
    next_batch: 's1',
    device_one_time_keys_count: {},
    device_unused_fallback_key_types: [],
    rooms: { join: { '!r:b': { timeline: { events: [EVENT] }, ...room } } },
  }) as unknown as JsonObject
const SYNC = '/_matrix/client/v3/sync'

/** Answers that may well be empty, each with its reason. */
const MAY_BE_EMPTY: Readonly<Record<string, string>> = {
  askPolicyServerToSign: 'it is the server’s own question to another',
  getConfig: 'a server need not tell its limit',
  getConfigAuthed: 'a server need not tell its limit',
  getUrlPreview: 'a page need not say anything of itself',
  getUrlPreviewAuthed: 'a page need not say anything of itself',
  getFilter: 'a filter may be empty',
  getUserProfile: 'a user need not have a profile',
  queryProfile: 'a user need not have a profile',
  getWellknownSupport: 'one of two fields must be there, which the tests look at',
  getTurnServer: 'a server without a TURN server says so with an empty object',
}

/** Whether an object that says nothing would pass, though the schema names fields. */
const isWeak = (schema: JsonObject): boolean =>
  unknownFields(schema, { 'not-a-field': 1 }).length > 0 && Compile(schema).Check({})

withDefinitions('the contract checker', () => {
  it('lets no answer pass that lacks everything, unless it may', () => {
    const weak = definitions!.all().flatMap((operation) => {
      const schema = operation.responses.get(200)
      if (schema === undefined) return []
      const amended = applyOverlay(
        schema,
        tightening.filter(
          (one) => one.operation === operation.id && (one.api ?? 'client-server') === operation.api,
        ),
      )
      return isWeak(amended) && amended['additionalProperties'] !== false ? [operation.id] : []
    })
    expect(weak.filter((id) => MAY_BE_EMPTY[id] === undefined)).toEqual([])
  })
  it('finds nothing wrong with right answers', () => {
    expect(faults('GET', '/_matrix/client/versions', 200, { versions: ['v1.19'] })).toEqual([])
    expect(faults('GET', SYNC, 200, syncWith({}))).toEqual([])
    expect(faults('POST', '/_matrix/client/v3/createRoom', 200, { room_id: '!x' })).toEqual([])
    expect(faults('GET', '/_matrix/client/r0/joined_rooms', 200, { joined_rooms: [] })).toEqual([])
    expect(faults('GET', SYNC, 401, { errcode: 'M_UNKNOWN_TOKEN', error: 'no', soft_logout: true })).toEqual(
      [],
    )
  })

  it.each<[string, string, string, number, unknown, RegExp]>([
    ['a missing field', 'POST', '/_matrix/client/v3/createRoom', 200, {}, /required properties room_id/],
    ['a wrong type', 'GET', '/_matrix/client/v3/joined_rooms', 200, { joined_rooms: 'x' }, /must be array/],
    ['a wrong item', 'GET', '/_matrix/client/v3/joined_rooms', 200, { joined_rooms: ['x'] }, /pattern/],
    ['null for a list', 'GET', '/_matrix/client/v3/devices', 200, { devices: null }, /must be array/],
    ['an id of another kind', 'POST', '/_matrix/client/v3/createRoom', 200, { room_id: '#x:y' }, /pattern/],
    [
      'a field without a namespace',
      'GET',
      '/_matrix/client/v3/devices',
      200,
      { devices: [], more: 1 },
      /unknown field.*more/,
    ],
    [
      'an unknown field of the specification’s namespace',
      'GET',
      '/_matrix/client/v3/devices',
      200,
      { devices: [], 'm.more': 1 },
      /m\.more/,
    ],
    [
      'something in an empty answer',
      'POST',
      '/_matrix/client/v3/logout',
      200,
      { done: true },
      /additional|done/,
    ],
    ['a list for an answer', 'POST', '/_matrix/client/v3/logout', 200, [], /must be object/],
    ['a status that is not defined', 'POST', '/_matrix/client/v3/logout', 204, {}, /status 204/],
    ['an error without an errcode', 'POST', '/_matrix/client/v3/logout', 400, { error: 'x' }, /errcode/],
    ['an error without words', 'POST', '/_matrix/client/v3/logout', 400, { errcode: 'M_UNKNOWN' }, /error/],
    [
      'an errcode that is none',
      'POST',
      '/_matrix/client/v3/logout',
      400,
      { errcode: 'oops', error: 'x' },
      /pattern/,
    ],
    [
      'a 401 that offers no flows',
      'POST',
      '/_matrix/client/v3/delete_devices',
      401,
      { session: 'x' },
      /flows/,
    ],
    ['a sync without next_batch', 'GET', SYNC, 200, { rooms: {} }, /next_batch/],
    [
      'an event without an id',
      'GET',
      SYNC,
      200,
      syncWith({ timeline: { events: [{ ...EVENT, event_id: undefined }] } }),
      /event_id/,
    ],
    ['a timeline without events', 'GET', SYNC, 200, syncWith({ timeline: {} }), /events/],
    [
      'counts that lack one',
      'GET',
      SYNC,
      200,
      syncWith({ unread_notifications: { highlight_count: 0 } }),
      /notification_count/,
    ],
    ['state without a key', 'GET', SYNC, 200, syncWith({ state: { events: [EVENT] } }), /state_key/],
    [
      'an unknown field deep inside',
      'GET',
      SYNC,
      200,
      syncWith({ timeline: { events: [{ ...EVENT, colour: 1 }] } }),
      /rooms\.join\.\*\.timeline\.events\[\]\.colour/,
    ],
  ])('finds %s', (_what, method, path, status, body, fault) => {
    const plain = JSON.parse(JSON.stringify(body)) as unknown
    expect(faults(method, path, status, plain).join('\n')).toMatch(fault)
  })

  it('finds an answer that is no JSON where JSON is due, and lets media be', () => {
    const text = { ...seen('GET', '/_matrix/client/versions', 200, 'x'), contentType: 'text/html' }
    expect(checker!.check(text).join()).toMatch(/content type is text\/html/)
    const media = '/_matrix/client/v1/media/download/b/c'
    expect(checker!.check({ ...text, path: media })).toEqual([])
    expect(checker!.check({ ...text, path: media, status: 404 }).join()).toMatch(/must be application\/json/)
  })

  it('has no opinion on what the specification does not know', () => {
    expect(faults('GET', '/_synapse/admin/v1/register', 200, { nonce: 1 })).toEqual([])
    expect(checker!.operationId('GET', '/_matrix/client/v3/nothing')).toBeUndefined()
  })

  it('knows operations by their paths, literal segments first', () => {
    expect(checker!.operationId('GET', '/_matrix/client/v3/pushrules/global/')).toBe('getPushRulesGlobal')
    expect(checker!.operationId('GET', '/_matrix/client/v3/room_keys/version/3')).toBe('getRoomKeysVersion')
    expect(checker!.operationId('PUT', '/_matrix/client/r0/rooms/!x/state/m.room.topic')).toBe(
      'setRoomStateWithKey',
    )
  })

  it('has an overlay of which each line finds its place', () => {
    const operations = definitions!.all()
    for (const amendment of tightening) {
      const { operation: id, api = 'client-server', status } = amendment
      const schema = operations.find((one) => one.id === id && one.api === api)?.responses.get(status)
      expect([id, schema]).toEqual([id, expect.anything()])
      expect(() => applyOverlay(schema!, [amendment])).not.toThrow()
    }
  })
})

describe('applyOverlay', () => {
  it('throws where a line names what is not there', () => {
    const schema: JsonObject = { type: 'object', properties: { a: { type: 'object' } } }
    expect(() => applyOverlay(schema, [{ operation: 'x', status: 200, at: ['b'], require: ['c'] }])).toThrow(
      /b/,
    )
  })
})

describe('unknownFields', () => {
  const schema: JsonObject = {
    allOf: [
      { properties: { a: { type: 'string' } } },
      { properties: { b: { items: { properties: { c: {} } } } } },
    ],
  }
  it('looks through parts, lists and maps', () => {
    expect(unknownFields(schema, { a: '', b: [{ c: 1, d: 1 }], e: 1, 'org.example.f': 1 })).toEqual([
      'b[].d',
      'e',
    ])
    const map: JsonObject = { additionalProperties: { properties: { x: {} } } }
    expect(unknownFields(map, { any: { x: 1, y: 1 } })).toEqual(['*.y'])
  })

  it('lets objects be of which nothing is said', () => {
    expect(unknownFields({ type: 'object' }, { anything: 1 })).toEqual([])
  })

  it('is not fooled by names that every object has', () => {
    expect(unknownFields(schema, JSON.parse('{"__proto__": 1, "constructor": 2}'))).toEqual([
      '__proto__',
      'constructor',
    ])
  })
})
