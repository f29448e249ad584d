import { MatrixError } from '../../core/errors.js'
import { relationOf, type Relation } from '../../core/event/relation.js'
import { isObject, ownValue, type Json, type JsonObject } from '../../core/json/value.js'
import { annotationsBy } from '../../storage/tables/relations.js'
import type { Store } from '../../storage/tx.js'
import type { Draft } from './local-event.js'
import { eventsByIds, eventsByNids, type RoomReaders, type WorkingRoom } from './working-room.js'

const keyOf = (content: JsonObject): Json | undefined => {
  const relation = ownValue(content, 'm.relates_to')
  return isObject(relation) ? ownValue(relation, 'key') : undefined
}

/**
 * Refuses what a client of ours should not relate to another event: a thread upon an event that relates to something itself
 * (M_UNKNOWN), and the same reaction twice (M_DUPLICATE_ANNOTATION). Events of other servers are not asked this.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#validation-of-mthread-relationships
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#avoiding-duplicate-annotations
 */
export async function checkRelation(
  room: WorkingRoom,
  draft: Pick<Draft, 'content' | 'sender' | 'type'>,
  store: Store,
  readers: RoomReaders,
): Promise<void> {
  const relation = relationOf(draft)
  if (relation?.type === 'm.thread') await checkThread(room, relation, readers)
  if (relation?.type === 'm.annotation') await checkAnnotation(room, draft, relation, store, readers)
}

async function checkThread(room: WorkingRoom, { eventId }: Relation, readers: RoomReaders): Promise<void> {
  const root = (await eventsByIds(room, [eventId], readers)).get(eventId)
  if (root?.roomNid === room.base.nid && relationOf(root.event) !== undefined)
    throw new MatrixError('M_UNKNOWN', 'No thread can start at an event that relates to another', {}, 400)
}

async function checkAnnotation(
  room: WorkingRoom,
  { content, sender, type }: Pick<Draft, 'content' | 'sender' | 'type'>,
  { eventId }: Relation,
  store: Store,
  readers: RoomReaders,
): Promise<void> {
  const key = keyOf(content)
  const nids = await store.read('rooms.annotations', () =>
    annotationsBy(room.base.nid, eventId, sender, type),
  )
  const stored = await eventsByNids(room, nids, readers)
  // Those that are about to be written with this one, too.
  const own = room.pending.map((item) => item.stored)
  const isSame = [...stored.values(), ...own].some(({ event }) => {
    const other = relationOf(event)
    const isOfSame = other?.type === 'm.annotation' && other.eventId === eventId
    return isOfSame && event.sender === sender && event.type === type && keyOf(event.content) === key
  })
  if (isSame)
    throw new MatrixError('M_DUPLICATE_ANNOTATION', 'You have reacted to this event like that', {}, 400)
}
