import type { Json } from '../../core/json/value.js'
import { isObject } from '../../core/json/value.js'
import { eventsNamingRelations } from '../../storage/tables/events.js'
import { advanceFill, fillOf, insertRelations, withRelation } from '../../storage/tables/relations.js'
import type { Store, Tx } from '../../storage/tx.js'
import { relationRow } from '../rooms/relation-row.js'

export interface RelationsFill {
  /**
   * Job: writes the relations of a part of the events that were here before their table was. What was done is kept, so that a
   * restart goes on from there. False when nothing is left to do.
   */
  step(): Promise<boolean>
}

const NAME = 'relations'

export interface FillOptions {
  /** Nids of one transaction. Default 500. */
  readonly portion?: number
  /** Transactions of one step. Default 20. */
  readonly portions?: number
}

export function createRelationsFill(store: Store, options: FillOptions = {}): RelationsFill {
  const { portion: size = 500, portions = 20 } = options
  let isDone = false

  /** True when more is left. */
  function* portion(): Tx<boolean> {
    const fill = yield* fillOf(NAME)
    if (fill === undefined) return false
    const to = Math.min(fill.done + size, fill.last)
    const rows = yield* eventsNamingRelations(fill.done, to)
    // An event that found its place after the upgrade has its row.
    const written = new Set(yield* withRelation(rows.map((row) => row.nid)))
    yield* insertRelations(
      rows.flatMap((row) => {
        if (written.has(row.nid) || row.ord === null) return []
        const pdu = JSON.parse(row.json) as Json
        const content = isObject(pdu) ? pdu['content'] : undefined
        const event = {
          id: row.event_id,
          content: isObject(content) ? content : {},
          type: row.type,
          stateKey: row.state_key ?? undefined,
          sender: row.sender,
          depth: row.depth,
          originServerTs: row.ts,
        }
        const stored = {
          nid: row.nid,
          roomNid: row.room_nid,
          ord: row.ord,
          rejected: undefined,
          softFailed: false,
        }
        return relationRow({ ...stored, event }) ?? []
      }),
    )
    yield* advanceFill(NAME, to)
    return to < fill.last
  }

  return {
    async step() {
      for (let i = 0; i < portions && !isDone; i++) isDone = !(await store.write('relations.fill', portion))
      return !isDone
    },
  }
}
