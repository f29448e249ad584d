import { authChain, type AuthEdges } from './auth-graph.js'

/**
 * The auth difference: events that are in the auth chain of some, but not of all states to resolve.
 *
 * `conflicted` has for each state the events that it does not share with all others. `isShared` tells what is in the
 * auth chain of their unconflicted state (the events themselves included): that is in every chain, and so is all
 * behind it, so the walk ends there. Linear in the events walked, for each state.
 * SPEC: https://spec.matrix.org/v1.19/rooms/v2/#definitions
 */
export function authDifference<Id>(
  conflicted: readonly Iterable<Id>[],
  edges: AuthEdges<Id>,
  isShared: (id: Id) => boolean,
): Set<Id> {
  const chains = new Map<Id, number>()
  for (const events of conflicted) {
    for (const id of authChain(events, edges, isShared)) chains.set(id, (chains.get(id) ?? 0) + 1)
  }
  const difference = new Set<Id>()
  for (const [id, count] of chains) {
    if (count < conflicted.length) difference.add(id)
  }
  return difference
}
