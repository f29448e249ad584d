import { isReplacement, relationOf } from '../../core/event/relation.js'
import type { RelationRow } from '../../storage/tables/relations.js'
import type { StoredEvent } from './stored-event.js'

type Placed = Pick<StoredEvent, 'nid' | 'roomNid' | 'ord' | 'rejected' | 'softFailed'> & {
  readonly event: Pick<
    StoredEvent['event'],
    'id' | 'content' | 'type' | 'stateKey' | 'sender' | 'depth' | 'originServerTs'
  >
}

/** The row of an event that relates to another; undefined for others, and for those that clients are not shown. */
export function relationRow({
  nid,
  roomNid,
  ord,
  rejected,
  softFailed,
  event,
}: Placed): RelationRow | undefined {
  const relation = relationOf(event)
  if (relation === undefined || ord === undefined || rejected !== undefined || softFailed) return undefined
  return {
    room_nid: roomNid,
    parent: relation.eventId,
    rel_type: relation.type,
    depth: event.depth,
    ord,
    child: nid,
    child_id: event.id,
    type: event.type,
    sender: event.sender,
    ts: event.originServerTs,
    edit: isReplacement(event) ? 1 : 0,
  }
}
