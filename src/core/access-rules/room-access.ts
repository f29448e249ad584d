import { ownValue, type JsonObject } from '../json/value.js'

/** The state that says whom a room is for. Clients know it by this name. */
export const ACCESS_RULES = { type: 'im.vector.room.access_rules', stateKey: '' } as const

/**
 * `restricted`: no external accounts. `unrestricted`: external accounts by invite, without power. `direct`: two people, once and for all.
 */
export type AccessRule = 'restricted' | 'unrestricted' | 'direct'

export interface RoomAccess {
  readonly rule: AccessRule
  /** `public` where the room is a forum: listed, open, never encrypted. */
  readonly visibility: 'public' | 'private'
  /** Made to stay without encryption. */
  readonly unencrypted: boolean
}

const RULES: ReadonlySet<unknown> = new Set<AccessRule>(['restricted', 'unrestricted', 'direct'])

/** The rule that a content names; undefined where it names none that is known. */
export function accessRuleIn(content: JsonObject): AccessRule | undefined {
  const rule = ownValue(content, 'rule')
  return RULES.has(rule) ? (rule as AccessRule) : undefined
}

/** What the content of a room's access rules says. A room that says nothing, or nothing known, is for members of the circle alone. */
export function roomAccess(content: JsonObject | undefined): RoomAccess {
  if (content === undefined) return { rule: 'restricted', visibility: 'private', unencrypted: false }
  return {
    rule: accessRuleIn(content) ?? 'restricted',
    visibility: ownValue(content, 'visibility') === 'public' ? 'public' : 'private',
    unencrypted: ownValue(content, 'force_unencrypted_at_creation') === true,
  }
}
