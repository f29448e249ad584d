import { compileGlob } from '../glob.js'
import { serverNameOf } from '../ids/server-name-of.js'
import { ownValue, type JsonObject } from '../json/value.js'

export type PolicyKind = 'user' | 'room' | 'server'

/** Whom or what a list of policies bans. SPEC: https://spec.matrix.org/v1.19/client-server-api/#moderation-policy-lists */
export interface PolicyRule {
  readonly kind: PolicyKind
  /** A glob. */
  readonly entity: string
  readonly reason: string
}

/** As lists have them; those of before the specification are still written. */
const KINDS: ReadonlyMap<string, PolicyKind> = new Map(
  (['user', 'room', 'server'] as const).flatMap((kind) => [
    [`m.policy.rule.${kind}`, kind],
    [`org.matrix.mjolnir.rule.${kind}`, kind],
    [`m.room.rule.${kind}`, kind],
  ]),
)
const BAN: ReadonlySet<unknown> = new Set(['m.ban', 'org.matrix.mjolnir.ban'])
const MAX_ENTITY = 255
const MAX_REASON = 255

export const isPolicyType = (type: string): boolean => KINDS.has(type)

/** What a state event bans; undefined for one that bans nothing, or is no rule, or was taken back. */
export function readPolicyRule(type: string, content: JsonObject): PolicyRule | undefined {
  const kind = KINDS.get(type)
  const entity = ownValue(content, 'entity')
  if (kind === undefined || !BAN.has(ownValue(content, 'recommendation'))) return undefined
  if (typeof entity !== 'string' || entity === '' || entity.length > MAX_ENTITY) return undefined
  const reason = ownValue(content, 'reason')
  return { kind, entity, reason: typeof reason === 'string' ? reason.slice(0, MAX_REASON) : '' }
}

/** Rules, ready to be asked. */
export interface PolicyBook {
  readonly size: number
  /** By name, or by the server. */
  user(userId: string): PolicyRule | undefined
  room(roomId: string): PolicyRule | undefined
  /** With its port or without. */
  server(serverName: string): PolicyRule | undefined
}

interface Shelf {
  readonly exact: Map<string, PolicyRule>
  readonly globs: { readonly matches: (text: string) => boolean; readonly rule: PolicyRule }[]
}

/** `ownServer` and its users are never banned as a server is: a list that says so would end this one. */
export function policyBook(rules: readonly PolicyRule[], ownServer: string): PolicyBook {
  const shelves: Readonly<Record<PolicyKind, Shelf>> = {
    user: { exact: new Map(), globs: [] },
    room: { exact: new Map(), globs: [] },
    server: { exact: new Map(), globs: [] },
  }
  for (const rule of rules) {
    const { exact, globs } = shelves[rule.kind]
    if (/[*?]/.test(rule.entity)) globs.push({ matches: compileGlob(rule.entity), rule })
    else exact.set(rule.entity, rule)
  }
  const find = (kind: PolicyKind, name: string): PolicyRule | undefined => {
    const { exact, globs } = shelves[kind]
    return exact.get(name) ?? globs.find(({ matches }) => matches(name))?.rule
  }
  const server = (name: string): PolicyRule | undefined =>
    name === ownServer
      ? undefined
      : (find('server', name) ?? find('server', name.replace(/:[0-9]{1,5}$/, '')))
  return {
    size: rules.length,
    user: (userId) => find('user', userId) ?? server(serverNameOf(userId) ?? ''),
    room: (roomId) => find('room', roomId) ?? server(serverNameOf(roomId) ?? ''),
    server,
  }
}
