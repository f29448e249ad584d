import type { JsonObject } from '../../../core/json/value.js'
import { eventIdsOf, eventTexts } from '../../../storage/tables/event-graph.js'
import type { Store } from '../../../storage/tx.js'

/** Answers whose lists may be long: written piece by piece from the store, never in memory as a whole. */

/** Events read at once. */
const BATCH = 250

/** The text of a JSON object with these fields and, for each list, the events with these nids. */
export async function* objectWithEvents(
  store: Store,
  fields: JsonObject,
  lists: Readonly<Record<string, readonly number[]>>,
): AsyncGenerator<string> {
  yield* objectWith(fields, lists, (nids) => textsOf(store, nids))
}

/** The same with event ids in the place of events. */
export async function* objectWithEventIds(
  store: Store,
  lists: Readonly<Record<string, readonly number[]>>,
): AsyncGenerator<string> {
  yield* objectWith({}, lists, async (nids) => {
    const rows = await store.read('federation.eventIds', () => eventIdsOf(nids))
    return rows.map((row) => JSON.stringify(row.event_id))
  })
}

async function textsOf(store: Store, nids: readonly number[]): Promise<string[]> {
  const rows = await store.read('federation.events', () => eventTexts(nids))
  return rows.map((row) => row.json)
}

async function* objectWith(
  fields: JsonObject,
  lists: Readonly<Record<string, readonly number[]>>,
  read: (nids: readonly number[]) => Promise<string[]>,
): AsyncGenerator<string> {
  // Without its closing brace.
  let head = JSON.stringify(fields).slice(0, -1)
  for (const [name, nids] of Object.entries(lists)) {
    yield `${head}${head === '{' ? '' : ','}${JSON.stringify(name)}:[`
    let first = true
    for (let i = 0; i < nids.length; i += BATCH) {
      const texts = await read(nids.slice(i, i + BATCH))
      if (texts.length === 0) continue
      yield (first ? '' : ',') + texts.join(',')
      first = false
    }
    head = ']'
  }
  yield `${head}}`
}
