import { authChain, authEdgesOf } from './auth-graph.js'
import { authDifference } from './auth-difference.js'
import { separate, type StateMap } from './conflicted.js'
import type { Resolution, Resolved } from './resolution.js'
import { resolveV1 } from './resolve-v1.js'
import { resolveV2 } from './resolve-v2.js'
import { conflictedSubgraph } from './subgraph.js'

/**
 * Resolves a conflict by the room version's algorithm. The answer holds what was decided; all else stays as the
 * unconflicted state has it. It does not depend on the order of the input.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#room-state-resolution
 */
export function resolve(resolution: Resolution): Resolved {
  if (resolution.conflicted.size === 0) return new Map()
  return resolution.rules.stateResolution === 'v1' ? resolveV1(resolution) : resolveV2(resolution)
}

/** Resolves whole states with all their events in memory, auth chains included. Gives the whole resolved state. */
export function resolveStates(
  states: readonly StateMap[],
  context: Pick<Resolution, 'rules' | 'event' | 'isRejected' | 'verifySignature'>,
): StateMap {
  const { unconflicted, conflicted } = separate(states, context.rules)
  if (conflicted.size === 0) return unconflicted
  const resolved = resolve({
    ...context,
    conflicted,
    unconflicted: (key) => unconflicted.get(key),
    authDifference:
      context.rules.stateResolution === 'v1' ? [] : differenceOf(states, unconflicted, conflicted, context),
  })
  return new Map([...unconflicted, ...resolved])
}

function differenceOf(
  states: readonly StateMap[],
  unconflicted: StateMap,
  conflicted: ReadonlyMap<string, ReadonlySet<string>>,
  { rules, event }: Pick<Resolution, 'rules' | 'event'>,
): ReadonlySet<string> {
  const edges = (id: string): readonly string[] => {
    const found = event(id)
    return found === undefined ? [] : authEdgesOf(found)
  }
  const shared = authChain(unconflicted.values(), edges)
  const apart = states.map((state) =>
    [...conflicted.keys()].map((key) => state.get(key)).filter((id) => id !== undefined),
  )
  const difference = authDifference(apart, edges, (id) => shared.has(id))
  if (rules.stateResolution !== 'v2.1') return difference
  const all = new Set([...conflicted.values()].flatMap((ids) => [...ids]))
  for (const id of conflictedSubgraph(all, edges)) difference.add(id)
  return difference
}
