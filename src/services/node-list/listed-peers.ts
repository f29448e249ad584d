import { emailRouting, type EmailRouting } from '../../core/node-list/route-email.js'
import { hasLeft, type Member, type MemberKey, type NodeList } from '../../core/node-list/types.js'
import { publicKey } from '../../platform/ed25519.js'
import type { KnownKey } from '../federation/known-keys.js'
import type { Peers } from '../federation/peers.js'

/** A list in the form in which it is asked. */
export interface TakenList {
  readonly list: NodeList
  readonly members: ReadonlyMap<string, Member>
  /** Of members that have keys in the list. */
  readonly keys: ReadonlyMap<string, ReadonlyMap<string, KnownKey>>
  readonly emails: EmailRouting
}

export function indexed(list: NodeList): TakenList {
  const keys = new Map<string, ReadonlyMap<string, KnownKey>>()
  for (const { serverName, keys: own, leftAt } of list.members) {
    const entries = own.flatMap((key) => entryOf(key, leftAt))
    // One who left and has no keys here has signed nothing that could be verified.
    if (own.length > 0 || leftAt !== undefined) keys.set(serverName, new Map(entries))
  }
  const members = new Map(list.members.map((member) => [member.serverName, member]))
  return { list, members, keys, emails: emailRouting(list.members) }
}

function entryOf(
  { keyId, publicKey: text, validFrom, validUntil }: MemberKey,
  leftAt: number | undefined,
): (readonly [string, KnownKey])[] {
  const key = publicKey(text)
  if (key === undefined) return []
  const end = Math.min(validUntil ?? Infinity, leftAt ?? Infinity)
  const known: KnownKey = {
    key,
    ...(validFrom === undefined ? {} : { validFromTs: validFrom }),
    validUntilTs: end,
    expiredTs: end === Infinity ? undefined : end,
  }
  return [[keyId, known]]
}

const NO_KEYS: ReadonlyMap<string, KnownKey> = new Map()

/**
 * What a list says of other servers. Whoever does not stand in it is spoken with by nobody, and nothing that it has signed counts; of one
 * who left, what it signed until then.
 */
export function listedPeers(deps: {
  /** Undefined: there is no list yet, so nobody is a member. */
  readonly taken: () => TakenList | undefined
  readonly now: () => number
  /** Undefined: all members are taken; else these alone. */
  readonly known: () => ReadonlySet<string> | undefined
}): Peers {
  const memberOf = (name: string): Member | undefined => deps.taken()?.members.get(name)
  return {
    federates(name) {
      const member = memberOf(name)
      if (member === undefined || hasLeft(member, deps.now())) return false
      return deps.known()?.has(name) ?? true
    },
    keysOf(name) {
      const taken = deps.taken()
      return taken?.members.has(name) === true ? taken.keys.get(name) : NO_KEYS
    },
    placesOf(name) {
      const places = memberOf(name)?.places
      return places === undefined || places.length === 0 ? undefined : places
    },
    trustOf: (name) => memberOf(name)?.tls,
  }
}
