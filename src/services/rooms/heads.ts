import { appendTo } from '../../core/append-to.js'
import type { Head } from './working-room.js'

/** As many as one event can name, so that the next event of a user here joins them all. SPEC: https://spec.matrix.org/v1.19/server-server-api/#pdus */
export const MAX_HEADS = 20

/**
 * The heads that are followed up where a room has too many: of each server its newest, in turn, so that a server which splits a room
 * again and again displaces its own. What is left out stays in the room; it counts again when an event refers to it.
 * `serverOf`: the server of a head's sender.
 */
export function boundedHeads(heads: readonly Head[], serverOf: (head: Head) => string): readonly Head[] {
  if (heads.length <= MAX_HEADS) return heads
  const byServer = new Map<string, Head[]>()
  for (const head of heads.toSorted((a, b) => b.nid - a.nid)) {
    appendTo(byServer, serverOf(head), head)
  }
  const kept = new Set<Head>()
  for (let turn = 0; kept.size < MAX_HEADS; turn++) {
    for (const list of byServer.values()) {
      const head = list[turn]
      if (head !== undefined && kept.size < MAX_HEADS) kept.add(head)
    }
  }
  return heads.filter((head) => kept.has(head))
}
