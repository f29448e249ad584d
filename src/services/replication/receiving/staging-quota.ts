import { MatrixError } from '../../../core/errors.js'
import { stagedAmounts } from '../../../storage/tables/staging.js'
import type { Store } from '../../../storage/tx.js'

/** What may wait to be applied, counted in rows and in characters of JSON. */
export interface StagingLimits {
  readonly perOrigin: { readonly rows: number; readonly size: number }
  readonly perRoom: { readonly rows: number; readonly size: number }
}

/** One origin alone cannot fill a room's share, or it could stop the others from speaking there. */
export const STAGING_LIMITS: StagingLimits = {
  perOrigin: { rows: 10_000, size: 32 * 1024 * 1024 },
  perRoom: { rows: 30_000, size: 96 * 1024 * 1024 },
}

export interface StagedItem {
  readonly origin: string
  readonly roomId: string
  readonly size: number
}

/** Counts what is staged, so that no request has to ask the database. One process writes staged rows: this one. */
export interface StagingQuota {
  /** Counts what is there already. To be called before the first `reserve`. */
  load(): Promise<void>
  /** Throws M_LIMIT_EXCEEDED, counting nothing, when one of the items would be too much. */
  reserve(items: readonly StagedItem[]): void
  release(items: readonly StagedItem[]): void
}

interface Amount {
  rows: number
  size: number
}

export function createStagingQuota(deps: {
  readonly store: Store
  readonly limits?: StagingLimits
}): StagingQuota {
  const limits = deps.limits ?? STAGING_LIMITS
  const origins = new Map<string, Amount>()
  const rooms = new Map<string, Amount>()

  function add(amounts: Map<string, Amount>, key: string, rows: number, size: number): Amount {
    const amount = amounts.get(key) ?? { rows: 0, size: 0 }
    amount.rows += rows
    amount.size += size
    if (amount.rows <= 0) amounts.delete(key)
    else amounts.set(key, amount)
    return amount
  }

  function change(items: readonly StagedItem[], sign: 1 | -1): boolean {
    let fits = true
    for (const { origin, roomId, size } of items) {
      const ofOrigin = add(origins, origin, sign, sign * size)
      const ofRoom = add(rooms, roomId, sign, sign * size)
      fits &&= ofOrigin.rows <= limits.perOrigin.rows && ofOrigin.size <= limits.perOrigin.size
      fits &&= ofRoom.rows <= limits.perRoom.rows && ofRoom.size <= limits.perRoom.size
    }
    return fits
  }

  return {
    async load() {
      origins.clear()
      rooms.clear()
      for (const row of await deps.store.read('staging.amounts', () => stagedAmounts())) {
        add(origins, row.origin, Number(row.amount), Number(row.size))
        add(rooms, row.room_id, Number(row.amount), Number(row.size))
      }
    },
    reserve(items) {
      if (change(items, 1)) return
      change(items, -1)
      throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many events of yours wait to be processed', {
        retry_after_ms: 5_000,
      })
    },
    release: (items) => void change(items, -1),
  }
}
