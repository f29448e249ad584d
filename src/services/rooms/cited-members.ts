import type { NodeName } from '../../core/state-trie/node.js'
import type { StoredEvent } from './stored-event.js'
import { mapKey, setState, type RoomReaders, type WorkingRoom } from './working-room.js'

/**
 * A provisional state with the members that an event cites and of whom the state has nothing. Whoever cites them has seen them in the room, perhaps
 * long ago; the events were accepted by themselves. What the state has of a member counts more.
 * Pre: the room is partial.
 */
export async function withCitedMembers(
  room: WorkingRoom,
  root: NodeName,
  authEvents: Iterable<StoredEvent>,
  readers: RoomReaders,
): Promise<NodeName> {
  const cited = [...authEvents].filter(
    ({ event, rejected, roomNid }) =>
      event.type === 'm.room.member' &&
      event.stateKey !== undefined &&
      rejected === undefined &&
      roomNid === room.base.nid,
  )
  if (cited.length === 0) return root
  const keyOf = ({ event }: StoredEvent) => ({ type: event.type, stateKey: event.stateKey! })
  const known = await readers.states.read(room.base.nid, root, cited.map(keyOf), room.nodes)
  let after = root
  for (const stored of cited) {
    if (!known.has(mapKey(keyOf(stored))))
      after = await setState(room, after, keyOf(stored), stored.nid, readers)
  }
  return after
}
