import { authStateKeys } from '../../core/auth/auth-event-keys.js'
import type { NodeName } from '../../core/state-trie/node.js'
import type { LocalEventDeps } from './local-event.js'
import { loadAuth } from './load-auth.js'
import { resolveHere } from './resolve-aside.js'
import { mapKey, type RememberedResolution, type StateKey } from './state-store.js'
import type { StoredEvent } from './stored-event.js'
import { eventsByNids, type WorkingRoom } from './working-room.js'

/**
 * A resolution that differs from one before by a single event of a single state: a branch on which somebody sets one state event after the
 * other, beside another branch. The conflict as a whole is not looked at again.
 *
 * Let `e` take a key of one of the states, where nothing or `o` stood. The result is that of before, but for this key, which is decided by
 * the events that the states have for it alone, under these conditions:
 *
 * - The key decides nothing about other events (`isLeaf`): no auth rule reads it. So it counts for no other key, and its events are in no auth chain.
 * - `e` has the auth events of `o`, which no other state has for the key, or those of another leaf in conflict that only this state has. Then the auth
 *   chains of the states are what they were, and so are the auth difference and, of version 2.1, what lies between conflicted events.
 *   The whole conflict then differs by events of this key only.
 * - No event of the conflict sets what the auth rules read for events of this key (`touched`). So these are judged by what all states agree on,
 *   wherever they come in the order of things.
 *
 * Where one of them does not hold, all is resolved anew. A property test compares both, for all room versions.
 */
export async function resolveStep(
  room: WorkingRoom,
  roots: readonly NodeName[],
  deps: Pick<LocalEventDeps, 'readers' | 'verifySignature'>,
): Promise<NodeName | undefined> {
  for (const before of room.resolutions) {
    const gone = before.roots.filter((root) => !roots.includes(root))
    if (before.roots.length !== roots.length || gone.length > 1) continue
    if (gone.length === 0) return before.result
    const come = roots.find((root) => !before.roots.includes(root))!
    const result = await stepFrom(room, before, { from: gone[0]!, to: come, roots }, deps)
    if (result === undefined) continue
    remember(room, result, before)
    return result.result
  }
  return undefined
}

/** Resolutions of a room that are kept: of a few branches that are spoken on in turn. */
const KEPT = 4
/** Of larger conflicts none is kept, for the memory's sake. */
const MAX_TOUCHED = 2_000

/** `instead`: one that it follows from. */
export function remember(
  room: WorkingRoom,
  resolution: RememberedResolution,
  instead?: RememberedResolution,
): void {
  if (resolution.touched.size > MAX_TOUCHED) return
  const others = room.resolutions.filter((one) => one !== instead)
  room.resolutions = [resolution, ...others].slice(0, KEPT)
}

const BASIC = new Set([
  'm.room.create',
  'm.room.join_rules',
  'm.room.member',
  'm.room.power_levels',
  'm.room.third_party_invite',
])

/** Whether no auth rule reads a key of this type. */
export const isLeaf = (type: string): boolean => !BASIC.has(type)

/** The same for events with the same auth events, whose auth chains then are the same. */
export const authName = (event: StoredEvent): string => event.authNids.toSorted((a, b) => a - b).join(' ')

async function stepFrom(
  room: WorkingRoom,
  before: RememberedResolution,
  {
    from,
    to,
    roots,
  }: { readonly from: NodeName; readonly to: NodeName; readonly roots: readonly NodeName[] },
  deps: Pick<LocalEventDeps, 'readers' | 'verifySignature'>,
): Promise<RememberedResolution | undefined> {
  const { readers } = deps
  const { nid: roomNid } = room.base
  const changed = await readers.states.diff(roomNid, from, to, room.nodes)
  const [entry, ...more] = changed
  if (entry === undefined || more.length > 0) return undefined
  const [keyNid, [oldNid, newNid]] = entry
  const key = (await readers.states.keysOf([keyNid])).get(keyNid)
  if (key === undefined || newNid === undefined || !isLeaf(key.type)) return undefined

  const others = new Set<number>()
  for (const root of roots) {
    if (root === to) continue
    const nid = (await readers.states.read(roomNid, root, [key], room.nodes)).get(mapKey(key))
    if (nid !== undefined) others.add(nid)
  }
  if (others.has(newNid) || (oldNid !== undefined && others.has(oldNid))) return undefined
  const wanted = [newNid, ...others, ...(oldNid === undefined ? [] : [oldNid])]
  const events = await eventsByNids(room, wanted, readers)
  if (events.size !== wanted.length) return undefined
  const fresh = events.get(newNid)!
  const name = authName(fresh)
  const leaves = before.leaves.get(from) ?? new Set<string>()
  const old = oldNid === undefined ? undefined : events.get(oldNid)!
  if (old === undefined ? !leaves.has(name) : authName(old) !== name) return undefined

  const candidates = [fresh, ...[...others].map((nid) => events.get(nid)!)]
  const authKeys = new Map<string, StateKey>()
  for (const { event } of candidates)
    for (const authKey of authStateKeys(event, room.rules)) authKeys.set(mapKey(authKey), authKey)
  for (const authKey of authKeys.keys()) if (before.touched.has(authKey)) return undefined

  const decided = await decide(room, key, candidates, [...authKeys.values()], to, deps)
  const changes = new Map([[keyNid, decided]])
  const updated = await readers.states.update(roomNid, before.result, changes, room.nodes)
  for (const [node, made] of updated.created) room.nodes.set(node, made)
  const kept = new Map(before.leaves)
  kept.delete(from)
  kept.set(to, new Set(leaves).add(name))
  return { roots, result: updated.root, touched: before.touched, leaves: kept, steps: before.steps + 1 }
}

/** Resolves one key by itself: the nid of its event, if it has one then. */
async function decide(
  room: WorkingRoom,
  key: StateKey,
  candidates: readonly StoredEvent[],
  authKeys: readonly StateKey[],
  root: NodeName,
  { readers, verifySignature }: Pick<LocalEventDeps, 'readers' | 'verifySignature'>,
): Promise<number | undefined> {
  const [first, ...rest] = candidates
  // Version 1 calls it no conflict when some states merely lack the key.
  if (rest.length === 0 && room.rules.stateResolution === 'v1') return first!.nid
  const loaded = new Map(candidates.map((stored) => [stored.event.id, stored]))
  await loadAuth(room, candidates, loaded, readers)
  const agreed = await readers.states.read(room.base.nid, root, authKeys, room.nodes)
  const byNid = await eventsByNids(room, [...agreed.values()], readers)
  for (const stored of byNid.values()) loaded.set(stored.event.id, stored)
  await loadAuth(room, [...byNid.values()], loaded, readers)
  const unconflicted = new Map<string, string>()
  for (const [name, nid] of agreed) {
    const stored = byNid.get(nid)
    if (stored !== undefined) unconflicted.set(name, stored.event.id)
  }
  const conflicted = new Map([[mapKey(key), candidates.map(({ event }) => event.id)]])
  const conflict = { conflicted, unconflicted, authDifference: [], loaded }
  const id = resolveHere(room, conflict, verifySignature).get(mapKey(key))
  return id === undefined ? undefined : loaded.get(id)!.nid
}
