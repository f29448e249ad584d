import { isObject, ownValue, type Json, type JsonObject } from '../json/value.js'
import type { RoomVersionRules } from '../room-version/rules.js'

/** What of an event, existing or yet to be built, decides which state events it must refer to. */
export interface EventLike {
  readonly type: string
  readonly sender: string
  readonly stateKey?: string | undefined
  readonly content: JsonObject
}

export interface EventKey {
  readonly type: string
  readonly stateKey: string
}

/**
 * The state that an event must name in `auth_events`, as far as the room has it. Each key once.
 * From room version 12 the create event is not among them: the room id names it.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#auth-events-selection
 */
export function authEventKeys(event: EventLike, rules: RoomVersionRules): readonly EventKey[] {
  if (event.type === 'm.room.create') return []
  const keys = [key('m.room.power_levels', ''), key('m.room.member', event.sender)]
  if (rules.roomIds !== 'create-hash') keys.unshift(CREATE)
  if (event.type !== 'm.room.member') return keys

  const { content, stateKey } = event
  const addMember = (userId: Json | undefined): void => {
    if (typeof userId !== 'string') return
    if (keys.some((known) => known.type === 'm.room.member' && known.stateKey === userId)) return
    keys.push(key('m.room.member', userId))
  }
  addMember(stateKey)
  const membership = ownValue(content, 'membership')
  if (membership === 'join' || membership === 'invite' || membership === 'knock') {
    keys.push(key('m.room.join_rules', ''))
  }
  if (membership === 'invite') {
    const token = thirdPartyToken(content)
    if (token !== undefined) keys.push(key('m.room.third_party_invite', token))
  }
  if (membership === 'join' && rules.restrictedJoin) {
    addMember(ownValue(content, 'join_authorised_via_users_server'))
  }
  return keys
}

/** The state that judging an event looks at: the above and always the create event. */
export function authStateKeys(event: EventLike, rules: RoomVersionRules): readonly EventKey[] {
  const keys = authEventKeys(event, rules)
  return event.type === 'm.room.create' || rules.roomIds !== 'create-hash' ? keys : [CREATE, ...keys]
}

const key = (type: string, stateKey: string): EventKey => ({ type, stateKey })
const CREATE = key('m.room.create', '')

/** The token of the third-party invite that an invite redeems. */
export function thirdPartyToken(content: JsonObject): string | undefined {
  const invite = ownValue(content, 'third_party_invite')
  const signed = isObject(invite) ? ownValue(invite, 'signed') : undefined
  const token = isObject(signed) ? ownValue(signed, 'token') : undefined
  return typeof token === 'string' ? token : undefined
}
