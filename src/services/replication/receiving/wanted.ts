import type { Staged } from './staged-events.js'

/** Which staged rows wait for which events. In memory: after a restart rows are tried when they are due. */
export interface Wanted {
  add(sorted: { readonly waiting: readonly Staged[]; readonly lacking: ReadonlySet<string> }): void
  /** The rows that wait for one of these events, which are then wanted no more. */
  take(eventIds: readonly string[]): readonly number[]
}

/** Ids of a room that are kept; the oldest are forgotten first. */
const MAX_IDS = 2_000
/** Rows that one event sets free at once; what stands on those is set free by them. */
const MAX_ROWS = 200

export function createWanted(): Wanted {
  const rowsOf = new Map<string, Set<number>>()

  return {
    add({ waiting, lacking }) {
      const staged = new Set(waiting.map(({ event }) => event.id))
      for (const { event, row } of waiting) {
        for (const id of [...event.prevEvents, ...event.authEvents]) {
          if (!lacking.has(id) && !staged.has(id)) continue
          const rows = rowsOf.get(id) ?? new Set()
          // Again at the end: what is asked for again is the last to be forgotten.
          rowsOf.delete(id)
          rowsOf.set(id, rows)
          if (rows.size < MAX_ROWS) rows.add(row.nid)
        }
      }
      for (const id of rowsOf.keys()) {
        if (rowsOf.size <= MAX_IDS) break
        rowsOf.delete(id)
      }
    },
    take(eventIds) {
      const nids = new Set<number>()
      for (const id of eventIds) {
        for (const nid of rowsOf.get(id) ?? []) nids.add(nid)
        rowsOf.delete(id)
      }
      return [...nids]
    },
  }
}
