import { parseServerName } from '../../core/ids/server-name.js'
import { publicKey } from '../../platform/ed25519.js'
import type { PeerTrust } from './connections.js'
import type { KnownKey } from './known-keys.js'
import type { SrvTarget } from './srv.js'

/** What is settled about other servers beforehand, asked each time: it changes while the node runs. */
export interface Peers {
  /** Whether this server speaks with that one, and listens to it. Names that are let in are compared byte for byte, as the specification has it. */
  federates(serverName: string): boolean
  /** The only keys of a server that count; undefined: those that it publishes. */
  keysOf(serverName: string): ReadonlyMap<string, KnownKey> | undefined
  /** Where it is found, best place first; undefined: where discovery finds it. */
  placesOf(serverName: string): readonly SrvTarget[] | undefined
  /** Whom to expect there; undefined: a certificate for its name of an authority that is trusted for all. The same object as long as it says the same. */
  trustOf(serverName: string): PeerTrust | undefined
}

export interface PeerOptions {
  /** False: no other server is spoken to or listened to. Default true. */
  readonly enabled?: boolean
  /** Undefined: every server. */
  readonly allow?: readonly string[]
  /** Without a port: whatever port, letters' case and last dot a name has. */
  readonly deny?: readonly string[]
  /** Server name, key id, unpadded base64. */
  readonly pinnedKeys?: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** Public keys that never count, as unpadded base64. */
  readonly bannedKeys?: ReadonlySet<string>
  readonly hosts?: ReadonlyMap<string, SrvTarget>
  /** PEM authorities that alone are trusted for a server. */
  readonly caByServer?: ReadonlyMap<string, readonly string[]>
}

/**
 * The peers by the configuration, and by a list of members where there is one. A server must be let in by both; of what else they say of a
 * server, the configuration's word counts first: its operator knows of a broken line before the list does.
 * Throws an Error for a pinned key that is none.
 */
export function createPeers(options: PeerOptions, listed?: Peers): Peers {
  const { enabled = true, allow, bannedKeys = new Set(), hosts } = options
  const allowed = allow === undefined ? undefined : new Set(allow)
  const denied = deniedNames(options.deny ?? [])
  const pinned = pinnedKeys(options.pinnedKeys)
  const trust = new Map<string, PeerTrust>()
  for (const [server, ca] of options.caByServer ?? []) trust.set(server, { ca, pins: [] })

  return {
    federates: (name) =>
      enabled &&
      !denied(name) &&
      (allowed === undefined || allowed.has(name)) &&
      (listed === undefined || listed.federates(name)),

    keysOf(name) {
      const own = pinned(name)
      if (own !== undefined) return own
      const keys = listed?.keysOf(name)
      if (keys === undefined || bannedKeys.size === 0) return keys
      return new Map([...keys].filter(([, { key }]) => !bannedKeys.has(key.base64)))
    },

    placesOf(name) {
      const place = hosts?.get(name)
      return place === undefined ? listed?.placesOf(name) : [place]
    },

    trustOf: (name) => trust.get(name) ?? listed?.trustOf(name),
  }
}

/**
 * Whoever is shut out could come again under the same host with another port, in other letters or with a last dot, each of which is another
 * name: an entry without a port shuts out all of these.
 */
function deniedNames(names: readonly string[]): (name: string) => boolean {
  if (names.length === 0) return () => false
  const parts = (name: string): readonly [host: string, port: number | undefined] => {
    const parsed = parseServerName(name)
    return [(parsed?.host ?? name).toLowerCase().replace(/\.$/, ''), parsed?.port]
  }
  const keyOf = (host: string, port: number | undefined): string => `${host} ${port ?? ''}`
  const denied = new Set(names.map((name) => keyOf(...parts(name))))
  return (name) => {
    const [host, port] = parts(name)
    return denied.has(keyOf(host, undefined)) || denied.has(keyOf(host, port))
  }
}

/** Keys that count for ever. Throws an Error for a key that is none. */
export function pinnedKeys(
  pinned: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map(),
): Peers['keysOf'] {
  const fixed = new Map<string, ReadonlyMap<string, KnownKey>>()
  for (const [server, keys] of pinned) {
    const entries = [...keys].map(([keyId, text]) => {
      const key = publicKey(text)
      if (key === undefined)
        throw new Error(`the configured key ${keyId} of ${server} is not an Ed25519 public key`)
      return [keyId, { key, validUntilTs: Infinity, expiredTs: undefined }] as const
    })
    fixed.set(server, new Map(entries))
  }
  return (serverName) => fixed.get(serverName)
}
