import { compileGlob } from './glob.js'
import { serverNameOf } from './ids/server-name-of.js'
import { isObject, ownValue, type Json } from './json/value.js'

/** The account data that says whose invites a user wants. SPEC: https://spec.matrix.org/v1.19/client-server-api/#invite-permission */
export const INVITE_PERMISSION = 'm.invite_permission_config'

/** NOTSPEC: the same by users and servers (MSC4155), under the name that it has while it is a proposal. */
export const INVITE_FILTER = 'org.matrix.msc4155.invite_permission_config'

/** `ignore`: the sender is told that all is well, the user is told nothing; `block`: the sender is refused. Neither is shown. */
export type InviteVerdict = 'allow' | 'ignore' | 'block'

/** What a user wants of the invites of others. */
export interface InvitePermission {
  of(sender: string): InviteVerdict
}

const ALL: InvitePermission = { of: () => 'allow' }
const NONE: InvitePermission = { of: () => 'block' }

/** Patterns with wildcards of one list; names without are not bounded but by the size of account data. */
const MAX_PATTERNS = 500
/** Within users, and then within servers, the first list that names the sender decides. */
const VERDICTS = [
  ['allowed', 'allow'],
  ['ignored', 'ignore'],
  ['blocked', 'block'],
] as const

type Matcher = (name: string) => boolean

/** Undefined where the list names nobody. What is no list, or no text in one, is as if it were absent. */
function matcherOf(list: Json | undefined): Matcher | undefined {
  if (!Array.isArray(list)) return undefined
  const exact = new Set<string>()
  const patterns: Matcher[] = []
  for (const item of list as readonly Json[]) {
    if (typeof item !== 'string') continue
    if (!item.includes('*') && !item.includes('?')) exact.add(item)
    else if (patterns.length < MAX_PATTERNS) patterns.push(compileGlob(item))
  }
  if (exact.size === 0 && patterns.length === 0) return undefined
  return (name) => exact.has(name) || patterns.some((matches) => matches(name))
}

/**
 * Reads the contents of `INVITE_PERMISSION` and `INVITE_FILTER`; what is not understood blocks nothing. Who blocks all
 * invites gets none, whomever the lists allow.
 */
export function readInvitePermission(
  permission: Json | undefined,
  filter: Json | undefined,
): InvitePermission {
  if (isObject(permission) && ownValue(permission, 'default_action') === 'block') return NONE
  if (!isObject(filter) || ownValue(filter, 'enabled') === false) return ALL
  const rules = (['users', 'servers'] as const).flatMap((kind) =>
    VERDICTS.flatMap(([word, verdict]) => {
      const matches = matcherOf(ownValue(filter, `${word}_${kind}`))
      return matches === undefined ? [] : [{ isOfServers: kind === 'servers', matches, verdict }]
    }),
  )
  if (rules.length === 0) return ALL
  return {
    of(sender) {
      const server = serverNameOf(sender) ?? ''
      return (
        rules.find(({ isOfServers, matches }) => matches(isOfServers ? server : sender))?.verdict ?? 'allow'
      )
    },
  }
}
