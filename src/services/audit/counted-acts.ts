import type { Act } from '../../core/audit/acts.js'

/** Acts that are counted until they are written. */
export interface CountedActs {
  add(act: Act, source: string | undefined): void
  /** Takes what was counted since the last call, as acts to be written. */
  take(): readonly Act[]
}

interface Count {
  readonly act: Act
  times: number
  readonly sources: Set<string>
}

/** Kinds that are told apart between two calls of `take`; what is beyond is one entry for each name of an act. */
const MAX_KINDS = 50
const MAX_SOURCES = 5

export function createCountedActs(): CountedActs {
  let kinds = new Map<string, Count>()

  const counted = (key: string, act: Act): Count => {
    const known = kinds.get(key)
    if (known !== undefined) return known
    const fresh: Count = { act, times: 0, sources: new Set() }
    kinds.set(key, fresh)
    return fresh
  }

  return {
    add(act, source) {
      const { by } = act
      const id = 'id' in by ? by.id : undefined
      const key = JSON.stringify([act.act, by.kind, id, act.on, act.room, act.outcome, act.reason])
      const isKnown = kinds.has(key)
      const count =
        isKnown || kinds.size < MAX_KINDS
          ? counted(key, act)
          : counted(`others ${act.act}`, {
              act: act.act,
              by: { kind: 'server' },
              ...(act.outcome === undefined ? {} : { outcome: act.outcome }),
              reason: 'more kinds than are told apart within a minute',
            })
      count.times += 1
      if (source !== undefined && count.sources.size < MAX_SOURCES) count.sources.add(source)
    },
    take() {
      const taken = [...kinds.values()]
      kinds = new Map()
      return taken.map(({ act, times, sources }) => ({
        ...act,
        details: {
          ...act.details,
          times,
          ...(sources.size === 0 ? {} : { sources: [...sources].join(' ') }),
        },
      }))
    },
  }
}
