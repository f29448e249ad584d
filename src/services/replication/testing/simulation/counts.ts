import type { View } from './view.js'

/** How much of what is hard to agree on there was in a room. */
export async function countEvents(
  views: readonly View[],
  count: (what: string, by?: number) => void,
): Promise<void> {
  const seen = new Set<string>()
  for (const view of views) {
    for (const [id, stored] of view.events) {
      if (stored.softFailed) count('soft failures')
      if (stored.outlier || seen.has(id)) continue
      seen.add(id)
      count('events')
      if (stored.rejected !== undefined) count('rejected events')
      if (stored.redactedBy !== undefined) count('redacted events')
      const prevs = stored.event.prevEvents.flatMap((prev) => view.events.get(prev) ?? [])
      if (prevs.length < 2) continue
      count('merged forks')
      const states = await Promise.all(prevs.map((prev) => view.digest(prev.stateAfter)))
      if (new Set(states).size > 1) count('state conflicts')
    }
  }
}
