import { reserveNids } from '../../storage/tables/nid-allocators.js'
import type { Store } from '../../storage/tx.js'

type Kind = 'event' | 'state-key' | 'room'

/** Hands out nids from blocks reserved in the store; a block that a crash leaves unused is a gap, and harmless. */
export interface Nids {
  /** The first of `count` consecutive nids. */
  take(kind: Kind, count?: number): Promise<number>
}

const BLOCK = 1000

export function createNids(store: Store): Nids {
  const blocks = new Map<Kind, { next: number; end: number }>()
  const refills = new Map<Kind, Promise<void>>()

  async function refill(kind: Kind, count: number): Promise<void> {
    const size = Math.max(BLOCK, count)
    const first = await store.write('nids.reserve', () => reserveNids(kind, size))
    blocks.set(kind, { next: first, end: first + size })
  }

  return {
    async take(kind, count = 1) {
      for (;;) {
        const block = blocks.get(kind)
        if (block !== undefined && block.end - block.next >= count) {
          const first = block.next
          block.next += count
          return first
        }
        let running = refills.get(kind)
        if (running === undefined) {
          running = refill(kind, count).finally(() => refills.delete(kind))
          refills.set(kind, running)
        }
        await running
      }
    },
  }
}
