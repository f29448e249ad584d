import { isExternal, type AccessPolicy } from '../../core/access-rules/access-policy.js'
import { ACCESS_RULES, accessRuleIn, type AccessRule } from '../../core/access-rules/room-access.js'
import { readLevel } from '../../core/auth/level.js'
import { invalidParam } from '../../core/errors.js'
import { isObject, ownValue, type Json, type JsonObject } from '../../core/json/value.js'
import type { RoomVersionRules } from '../../core/room-version/rules.js'
import { presetOf, type CreateRoomInput } from './create-room-input.js'
import { newRoomEventLevels } from './new-room-levels.js'

const ENCRYPTION = { type: 'm.room.encryption', content: { algorithm: 'm.megolm.v1.aes-sha2' } }

/**
 * What a client asks for in `createRoom`, with what the access rules of a closed circle add to it: the rule itself, encryption, who sees what was said
 * before, and levels by which only those who look after a room call others into it.
 *
 * Errors: M_INVALID_PARAM for what does not go together. Whoever may not make a room is told by the rules themselves.
 */
export function withAccess(input: CreateRoomInput, rules: RoomVersionRules): CreateRoomInput {
  const given = input.initial_state ?? []
  const of = (type: string): JsonObject | undefined =>
    given.findLast((item) => item.type === type && (item.state_key ?? '') === '')?.content
  const asked = of(ACCESS_RULES.type)
  const visibility = input.visibility ?? 'private'
  const rule = ruleOf(asked, input, visibility)
  if (visibility === 'public' && rule !== 'restricted')
    throw invalidParam('Only a room without external accounts can be listed')
  const isOpen = joinRuleOf(input, of('m.room.join_rules')) === 'public'
  if (isOpen && rule === 'direct') throw invalidParam('A direct conversation cannot be open to everybody')
  const unencrypted = asked?.['force_unencrypted_at_creation'] === true
  const levels = levelsFor(input, rules, of('m.room.power_levels'))
  const added: { type: string; content: JsonObject }[] = []
  if (!isOpen && !unencrypted && of(ENCRYPTION.type) === undefined) added.push(ENCRYPTION)
  // Guests come in nowhere, so that the room can be opened to everybody who knows its address later.
  if (of('m.room.guest_access') === undefined && presetOf(input) !== 'public_chat')
    added.push({ type: 'm.room.guest_access', content: { guest_access: 'forbidden' } })
  if (of('m.room.history_visibility') === undefined) {
    const content = { history_visibility: isOpen ? 'shared' : 'invited' }
    added.push({ type: 'm.room.history_visibility', content })
  }
  const rest = given.filter(
    ({ type, state_key = '' }) =>
      state_key !== '' || ![ACCESS_RULES.type, 'm.room.power_levels'].includes(type),
  )
  return {
    ...input,
    // Last of them: encryption could not come after rules that leave it out.
    initial_state: [...rest, ...added, { type: ACCESS_RULES.type, content: { ...asked, rule, visibility } }],
    power_level_content_override: levels,
  }
}

function ruleOf(
  asked: JsonObject | undefined,
  input: CreateRoomInput,
  visibility: 'public' | 'private',
): AccessRule {
  const isDirect = input.is_direct === true
  if (asked === undefined) return isDirect ? 'direct' : 'restricted'
  const rule = accessRuleIn(asked)
  if (rule === undefined) throw invalidParam('The access rule must be restricted, unrestricted or direct')
  if (isDirect !== (rule === 'direct')) throw invalidParam('is_direct and the access rule direct go together')
  if (asked['visibility'] !== undefined && asked['visibility'] !== visibility)
    throw invalidParam('The visibility in the access rules is not that of the room')
  return rule
}

function joinRuleOf(input: CreateRoomInput, given: JsonObject | undefined): unknown {
  if (given !== undefined) return ownValue(given, 'join_rule')
  return presetOf(input) === 'public_chat' ? 'public' : 'invite'
}

/** Levels of a new room, where they are others than those of a room without rules. */
const defaultLevels = (isPublic: boolean, rules: RoomVersionRules): JsonObject => ({
  state_default: 100,
  invite: isPublic ? 0 : 50,
  events: {
    ...newRoomEventLevels(rules),
    // Where somebody is, and who is in a call, everybody says for themselves.
    'm.beacon_info': 0,
    'org.matrix.msc3672.beacon_info': 0,
    'm.call.member': 0,
    'org.matrix.msc3401.call.member': 0,
  },
})

/** The client's levels over the defaults. Throws M_INVALID_PARAM where they would let more people invite or change the room. */
function levelsFor(
  input: CreateRoomInput,
  rules: RoomVersionRules,
  inState: JsonObject | undefined,
): JsonObject {
  const defaults = defaultLevels(input.preset === 'public_chat', rules)
  let levels = defaults
  for (const given of [input.power_level_content_override, inState]) {
    if (given === undefined) continue
    for (const name of ['invite', 'state_default']) {
      const level = ownValue(given, name)
      const number = level === undefined ? undefined : readLevel(level, rules)
      const least = defaults[name] as number
      if (number !== undefined && number < least)
        throw invalidParam(`The level ${name} must be at least ${least}`)
    }
    levels = merged(levels, given)
  }
  return levels
}

function merged(under: JsonObject, over: JsonObject): JsonObject {
  const out: Record<string, Json> = { ...under }
  for (const [name, value] of Object.entries(over)) {
    const below = ownValue(under, name)
    out[name] = isObject(value) && isObject(below) ? merged(below, value) : value
  }
  return out
}

/** Whom a `trusted_private_chat` gives the creator's power: nobody who is external. */
export const trustedByAccess = (
  invited: readonly string[],
  policy: AccessPolicy | undefined,
): readonly string[] =>
  policy === undefined ? invited : invited.filter((userId) => !isExternal(userId, policy))
