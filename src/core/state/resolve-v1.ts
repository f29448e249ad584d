import { createHash } from 'node:crypto'
import { checkAuth } from '../auth/check.js'
import type { StateLookup } from '../auth/state-lookup.js'
import { compareDepths } from '../event/order.js'
import type { RoomEvent } from '../event/types.js'
import type { Resolution, Resolved } from './resolution.js'
import { splitStateKey, stateKey, type StateKey } from './state-key.js'

/**
 * State resolution of room version 1: power levels, then join rules, then members, then the rest; what was resolved
 * in one step counts in the next ones.
 * SPEC: https://spec.matrix.org/v1.19/rooms/v1/#state-resolution
 */
export function resolveV1({ conflicted, unconflicted, event, verifySignature }: Resolution): Resolved {
  const resolved = new Map<StateKey, string>()
  const lookup: StateLookup = (type, key) => {
    const wanted = stateKey(type, key)
    const id = resolved.get(wanted) ?? unconflicted(wanted)
    return id === undefined ? undefined : event(id)
  }
  const groups: Record<'levels' | 'rules' | 'members' | 'others', [StateKey, RoomEvent[]][]> = {
    levels: [],
    rules: [],
    members: [],
    others: [],
  }
  for (const [key, ids] of conflicted) {
    const events = [...ids].map(event).filter((found) => found !== undefined)
    const [first, ...rest] = newestFirst(events)
    if (first === undefined) continue
    if (rest.length === 0) resolved.set(key, first.id)
    else groups[groupOf(key)].push([key, [first, ...rest]])
  }
  for (const group of [groups.levels, groups.rules, groups.members]) {
    // All of a step see the state before it.
    const decided = group.map(
      ([key, events]) => [key, followAllowed(key, events, lookup, verifySignature)] as const,
    )
    for (const [key, id] of decided) resolved.set(key, id)
  }
  for (const [key, events] of groups.others) {
    const allowed = events.find((candidate) => checkAuth(candidate, lookup, verifySignature).ok)
    // Where nothing is allowed the oldest stays: a key that was set must not vanish.
    resolved.set(key, (allowed ?? (events.at(-1) as RoomEvent)).id)
  }
  return resolved
}

function groupOf(key: StateKey): 'levels' | 'rules' | 'members' | 'others' {
  const { type, stateKey: own } = splitStateKey(key)
  if (type === 'm.room.power_levels' && own === '') return 'levels'
  if (type === 'm.room.join_rules') return 'rules'
  return type === 'm.room.member' ? 'members' : 'others'
}

/** From the oldest on, each event that the state with its predecessor allows replaces that; the first refusal ends it. */
function followAllowed(
  key: StateKey,
  newestFirst: readonly RoomEvent[],
  state: StateLookup,
  verifySignature: Resolution['verifySignature'],
): string {
  const [oldest, ...next] = newestFirst.toReversed()
  let current = oldest as RoomEvent
  const lookup: StateLookup = (type, own) => (stateKey(type, own) === key ? current : state(type, own))
  for (const candidate of next) {
    if (!checkAuth(candidate, lookup, verifySignature).ok) break
    current = candidate
  }
  return current.id
}

/** By descending depth, then by ascending SHA-1 of the id. */
function newestFirst(events: readonly RoomEvent[]): readonly RoomEvent[] {
  const keyed = events.map((event) => ({
    event,
    hash: createHash('sha1').update(event.id, 'utf8').digest('hex'),
  }))
  keyed.sort((a, b) => compareDepths(b.event, a.event) || (a.hash < b.hash ? -1 : 1))
  return keyed.map(({ event }) => event)
}
