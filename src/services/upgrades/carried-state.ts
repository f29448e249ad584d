import { ACCESS_RULES } from '../../core/access-rules/room-access.js'
import { canonicalJson } from '../../core/json/canonical.js'
import type { RoomEvent } from '../../core/event/types.js'
import { isObject, ownValue, type Json, type JsonObject } from '../../core/json/value.js'
import type { RoomVersionRules } from '../../core/room-version/rules.js'
import { aclDenies } from '../../core/server-acl.js'

export interface CarriedEvent {
  readonly type: string
  readonly stateKey: string
  readonly content: JsonObject
}

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#server-behaviour-17 (power levels and aliases go their own way) */
export const CARRIED: readonly string[] = [
  'm.room.join_rules',
  'm.room.history_visibility',
  'm.room.guest_access',
  'm.room.server_acl',
  'm.room.encryption',
  'm.room.name',
  'm.room.topic',
  'm.room.avatar',
  // Not the specification's, but a closed circle's: the new room is for whom the old one was.
  ACCESS_RULES.type,
]

/** The create event's content. `tombstone`: the id of the old room's last word; a room of version 12 does without. */
export function upgradedCreateContent(
  old: RoomEvent,
  rules: RoomVersionRules,
  tombstone: string | undefined,
  creators: { readonly upgrader: string; readonly additional: readonly string[] },
): JsonObject {
  const additional = creators.additional.filter((user) => user !== creators.upgrader)
  const { type } = old.content
  return {
    room_version: rules.id,
    predecessor: { room_id: old.roomId, ...(tombstone === undefined ? {} : { event_id: tombstone }) },
    ...(typeof type === 'string' ? { type } : {}),
    ...(old.content['m.federate'] === false ? { 'm.federate': false } : {}),
    ...(rules.creator === 'content' ? { creator: creators.upgrader } : {}),
    ...(rules.creator === 'privileged' && additional.length > 0
      ? { additional_creators: [...new Set(additional)] }
      : {}),
  }
}

/**
 * What one state event of the old room becomes; undefined where it stays behind: a child that was taken out of the space, an
 * access list that shuts this very server out, and what the new version cannot write.
 */
export function carriedEvent(
  event: RoomEvent,
  rules: RoomVersionRules,
  serverName: string,
): CarriedEvent | undefined {
  const content = event.type === 'm.room.join_rules' ? joinRules(event, rules) : event.content
  if (event.type === 'm.space.child' && !Array.isArray(content['via'])) return undefined
  if (event.type === 'm.room.server_acl' && aclDenies(content, serverName)) return undefined
  if (event.stateKey === undefined || !isWritable(content, rules)) return undefined
  return { type: event.type, stateKey: event.stateKey, content }
}

/** Old versions let numbers into events that newer ones refuse. */
function isWritable(content: JsonObject, rules: RoomVersionRules): boolean {
  try {
    return canonicalJson(content, rules.strictCanonicalJson ? 'strict' : 'lenient') !== ''
  } catch {
    return false
  }
}

/**
 * Where members of some rooms may come in, those of the old room may too: they were in already. A rule that the new version does
 * not know becomes the stricter one that it does.
 */
function joinRules(event: RoomEvent, rules: RoomVersionRules): JsonObject {
  const rule = event.content['join_rule']
  if (rule === 'knock' && !rules.knock) return { ...event.content, join_rule: 'invite' }
  if (rule !== 'restricted' && rule !== 'knock_restricted') return event.content
  if (!rules.restrictedJoin) return { join_rule: 'invite' }
  const list = event.content['allow']
  const allow = Array.isArray(list) ? (list as readonly Json[]) : []
  const isNamed = allow.some((item) => isObject(item) && ownValue(item, 'room_id') === event.roomId)
  return {
    ...event.content,
    join_rule: rule === 'knock_restricted' && !rules.knockRestricted ? 'restricted' : rule,
    allow: isNamed ? allow : [...allow, { type: 'm.room_membership', room_id: event.roomId }],
  }
}

/** Splits an `m.room.canonical_alias`: the aliases that move with the room, and what stays. */
export function splitCanonicalAlias(
  content: JsonObject,
  moves: (alias: string) => boolean,
): { readonly moved: JsonObject | undefined; readonly left: JsonObject | undefined } {
  const { alias, alt_aliases: list, ...rest } = content
  const others = (Array.isArray(list) ? (list as readonly Json[]) : []).filter(
    (item) => typeof item === 'string',
  )
  const pick = (wanted: boolean): JsonObject => {
    const main = typeof alias === 'string' && moves(alias) === wanted ? { alias } : {}
    const alternatives = others.filter((item) => moves(item) === wanted)
    return { ...main, ...(alternatives.length > 0 ? { alt_aliases: alternatives } : {}) }
  }
  const moved = pick(true)
  if (Object.keys(moved).length === 0) return { moved: undefined, left: undefined }
  return { moved, left: { ...rest, ...pick(false) } }
}
