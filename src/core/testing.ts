import type { Json, JsonObject } from './json/value.js'
import type { Pdu, RoomEvent } from './event/types.js'
import type { StateLookup } from './auth/state-lookup.js'
import type { RoomVersionRules } from './room-version/rules.js'
import { roomVersion, ROOM_VERSIONS } from './room-version/versions.js'

// For tests: events with ids that say what they are. Nothing of it is hashed or signed.

export interface TestEvent {
  readonly id?: string
  readonly type?: string
  readonly sender?: string
  readonly stateKey?: string | undefined
  readonly content?: JsonObject
  readonly depth?: number
  readonly ts?: number
  readonly prev?: readonly string[]
  readonly auth?: readonly string[]
  readonly roomId?: string
  readonly redacts?: string
  /** Further fields of the PDU. */
  readonly pdu?: JsonObject
}

export const ALL_VERSIONS: readonly RoomVersionRules[] = [...ROOM_VERSIONS.values()]

/** The rules of some versions, both ends included. */
export const versions = (from: number, to = 12): readonly RoomVersionRules[] =>
  ALL_VERSIONS.filter((rules) => Number(rules.id) >= from && Number(rules.id) <= to)

export function rulesOf(version: number | string): RoomVersionRules {
  const rules = roomVersion(String(version))
  if (rules === undefined) throw new Error(`no room version ${version}`)
  return rules
}

export const CREATOR = '@creator:a.example'

export function testEvent(rules: RoomVersionRules, event: TestEvent): RoomEvent {
  const type = event.type ?? 'm.room.message'
  const sender = event.sender ?? CREATOR
  const content = event.content ?? {}
  const depth = event.depth ?? 1
  const ts = event.ts ?? 1
  return {
    id: event.id ?? '$event:a.example',
    roomId: event.roomId ?? (rules.roomIds === 'opaque' ? '!room:a.example' : '!create:a.example'),
    rules,
    type,
    sender,
    stateKey: event.stateKey,
    content,
    depth,
    originServerTs: ts,
    prevEvents: event.prev ?? ['$before:a.example'],
    authEvents: event.auth ?? [],
    redacts: event.redacts,
    pdu: {
      type,
      sender,
      content,
      depth,
      origin_server_ts: ts,
      hashes: {},
      signatures: {},
      ...event.pdu,
    } as Pdu,
  }
}

/** A lookup over some events. */
export function stateOf(events: readonly RoomEvent[]): StateLookup {
  return (type, stateKey) => events.find((event) => event.type === type && event.stateKey === stateKey)
}

export const create = (rules: RoomVersionRules, content: JsonObject = {}, sender = CREATOR): RoomEvent =>
  testEvent(rules, {
    id: '$create:a.example',
    type: 'm.room.create',
    stateKey: '',
    sender,
    content: rules.creator === 'content' ? { creator: sender, ...content } : content,
    prev: [],
  })

export const member = (
  rules: RoomVersionRules,
  user: string,
  membership: Json,
  more: JsonObject = {},
): RoomEvent =>
  testEvent(rules, {
    id: `$member-${user}`,
    type: 'm.room.member',
    sender: user,
    stateKey: user,
    content: { membership, ...more },
  })

export const levels = (rules: RoomVersionRules, content: JsonObject): RoomEvent =>
  testEvent(rules, { id: '$levels:a.example', type: 'm.room.power_levels', stateKey: '', content })

export const joinRules = (rules: RoomVersionRules, joinRule: Json): RoomEvent =>
  testEvent(rules, {
    id: '$rules:a.example',
    type: 'm.room.join_rules',
    stateKey: '',
    content: { join_rule: joinRule },
  })
