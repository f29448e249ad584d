import { appendTo } from '../append-to.js'
import { authChain, type AuthEdges } from './auth-graph.js'

/**
 * The conflicted state subgraph: conflicted events and all events on paths of auth events from one of them to another.
 * Linear in the auth chain of the conflicted events.
 * SPEC: https://spec.matrix.org/v1.19/rooms/v12/#definitions
 */
export function conflictedSubgraph<Id>(conflicted: ReadonlySet<Id>, edges: AuthEdges<Id>): Set<Id> {
  const behind = authChain(conflicted, edges)
  const referrers = new Map<Id, Id[]>()
  for (const id of behind) {
    for (const next of edges(id)) {
      appendTo(referrers, next, id)
    }
  }
  // All in `behind` is reached from a conflicted event; keep what also leads to one.
  return authChain(conflicted, (id) => referrers.get(id) ?? [])
}
