import { appendTo } from '../../core/append-to.js'
import { relationOf } from '../../core/event/relation.js'
import type { Json, JsonObject } from '../../core/json/value.js'
import { aggregated, editsOf, referencesTo, type RelationRow } from '../../storage/tables/relations.js'
import type { RoomsContext } from '../rooms/context.js'
import type { StoredEvent } from '../rooms/stored-event.js'
import type { Aggregations } from '../timeline/aggregations.js'
import type { ClientViews, Viewer } from '../timeline/client-view.js'
import type { Access } from '../timeline/room-access.js'
import { threadSummaries } from './thread-summaries.js'

export type Scope = Pick<Access, 'room' | 'reader' | 'end' | 'ignored'>

export interface RelationsDeps {
  readonly context: Pick<RoomsContext, 'store' | 'events'>
  readonly views: ClientViews
}

/** References told of with a page of events; the rest is found with `/relations`. */
const MAX_REFERENCES = 500
/** Edits looked at for events whose latest one the user may not see. */
const MAX_EDITS = 500

interface Found {
  /** Nid of the parent → its latest edit. */
  readonly edits: ReadonlyMap<number, StoredEvent>
  /** Id of the parent → ids of the children. */
  readonly references: ReadonlyMap<string, readonly string[]>
  /** The events that are roots of threads. */
  readonly roots: readonly StoredEvent[]
}

/**
 * What relates to events, summed up by kind: the latest edit, the thread, the references. Events that the user may not see, or whose
 * senders they ignore, do not count.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#aggregations-of-child-events
 */
export function createAggregations({ context, views }: RelationsDeps): Aggregations {
  const { store } = context

  async function find(events: readonly StoredEvent[], scope: Scope): Promise<Found> {
    // State events take part in none of this.
    const parents = new Map(
      events.filter((item) => item.event.stateKey === undefined).map((item) => [item.nid, item]),
    )
    const rows =
      parents.size === 0 ? [] : await store.read('relations.of', () => aggregated([...parents.keys()]))
    const edited = new Map<number, number>()
    const referred: string[] = []
    const roots: StoredEvent[] = []
    for (const row of rows) {
      const parent = parents.get(row.nid)!
      const relation = relationOf(parent.event)
      // No edit of an edit, no edit by somebody who is ignored; no thread upon an event that relates to another.
      const mayBeEdited = relation?.type !== 'm.replace' && !scope.ignored.has(parent.event.sender)
      if (row.edit !== null && mayBeEdited) edited.set(row.nid, row.edit)
      if (row.referred === 1) referred.push(parent.event.id)
      if (row.threaded === 1 && relation === undefined) roots.push(parent)
    }
    return {
      edits: await visibleEdits(edited, scope),
      references: await visibleReferences(referred, scope),
      roots,
    }
  }

  async function visibleEdits(
    edited: ReadonlyMap<number, number>,
    { reader }: Scope,
  ): Promise<Map<number, StoredEvent>> {
    const found = new Map<number, StoredEvent>()
    if (edited.size === 0) return found
    const latest = await context.events.byNids([...edited.values()])
    const hidden: number[] = []
    for (const [parent, nid] of edited) {
      const edit = latest.get(nid)
      if (edit !== undefined && (await reader.mayRead(edit))) found.set(parent, edit)
      else hidden.push(parent)
    }
    if (hidden.length === 0) return found
    const rows = await store.read('relations.edits', () => editsOf(hidden, MAX_EDITS))
    const older = await context.events.byNids(rows.map((row) => row.child))
    for (const { nid, child } of rows) {
      const edit = older.get(child)
      if (!found.has(nid) && edit !== undefined && (await reader.mayRead(edit))) found.set(nid, edit)
    }
    return found
  }

  async function visibleReferences(
    parents: readonly string[],
    { room, reader, ignored }: Scope,
  ): Promise<Map<string, string[]>> {
    const found = new Map<string, string[]>()
    if (parents.length === 0) return found
    const rows: readonly RelationRow[] = await store.read('relations.references', () =>
      referencesTo(room.nid, parents, MAX_REFERENCES),
    )
    const events = await context.events.byNids(rows.map((row) => row.child))
    for (const row of rows) {
      const child = events.get(row.child)
      if (child === undefined || ignored.has(row.sender) || !(await reader.mayRead(child))) continue
      appendTo(found, row.parent, row.child_id)
    }
    return found
  }

  const relationsOf = (
    item: StoredEvent,
    { references }: Found,
    edits: ReadonlyMap<number, JsonObject>,
    thread: JsonObject | undefined,
  ): JsonObject | undefined => {
    const out: Record<string, Json> = {}
    const edit = edits.get(item.nid)
    if (edit !== undefined) out['m.replace'] = edit
    if (thread !== undefined) out['m.thread'] = thread
    const chunk = references.get(item.event.id)
    if (chunk !== undefined) out['m.reference'] = { chunk: chunk.map((id) => ({ event_id: id })) }
    return Object.keys(out).length === 0 ? undefined : out
  }

  async function editViews(found: Found, viewer: Viewer, scope: Scope): Promise<Map<number, JsonObject>> {
    const edits = [...found.edits]
    const list = await views.view(
      edits.map(([, edit]) => edit),
      viewer,
      { reader: scope.reader },
    )
    return new Map(edits.map(([parent], i) => [parent, list[i]!]))
  }

  /** Events with nothing but edits and references: the latest of a thread is no root itself. */
  async function leaves(
    events: readonly StoredEvent[],
    viewer: Viewer,
    scope: Scope,
  ): Promise<Map<number, JsonObject>> {
    const found = await find(events, scope)
    const edits = await editViews(found, viewer, scope)
    const relations = new Map<number, JsonObject>()
    for (const item of events) {
      const own = relationsOf(item, found, edits, undefined)
      if (own !== undefined) relations.set(item.nid, own)
    }
    const list = await views.view(events, viewer, { reader: scope.reader, relations })
    return new Map(events.map((item, i) => [item.nid, list[i]!]))
  }

  return {
    async of(events, viewer, scope) {
      const relations = new Map<number, JsonObject>()
      const found = await find(events, scope)
      const edits = await editViews(found, viewer, scope)
      const summaries = await threadSummaries(context, found.roots, viewer.userId, scope)
      const latest = await leaves(
        [...summaries.values()].map((summary) => summary.latest),
        viewer,
        scope,
      )
      for (const item of events) {
        const summary = summaries.get(item.event.id)
        const thread =
          summary === undefined
            ? undefined
            : {
                latest_event: latest.get(summary.latest.nid)!,
                count: summary.count,
                current_user_participated: summary.participated,
              }
        const own = relationsOf(item, found, edits, thread)
        if (own !== undefined) relations.set(item.nid, own)
      }
      return relations
    },
  }
}
