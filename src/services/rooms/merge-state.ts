import { authStateKeys } from '../../core/auth/auth-event-keys.js'
import { checkAuth } from '../../core/auth/check.js'
import { canonicalMode } from '../../core/event/hash.js'
import { canonicalJson } from '../../core/json/canonical.js'
import type { NodeName } from '../../core/state-trie/node.js'
import { judgeAccess } from './access.js'
import { stateChanges } from './apply-event.js'
import type { LocalEventDeps } from './local-event.js'
import { resolveRoots } from './resolve-roots.js'
import {
  addPending,
  eventsByIds,
  eventsByNids,
  mapKey,
  setState,
  stateEvents,
  type StateChange,
  type WorkingRoom,
} from './working-room.js'

/**
 * Resolves the state before one of the room's heads with what another server has there, so that what is missing here comes in: an entry
 * that one state lacks altogether was kept back by whoever gave it, and is no other opinion. Gives
 * the changes of the present state; undefined where the head would not be allowed by the outcome: then nothing is taken.
 * Pre: `peerState` is of this room, its events are stored and judged.
 */
export async function mergeStateBefore(
  room: WorkingRoom,
  headId: string,
  peerState: NodeName,
  deps: LocalEventDeps,
): Promise<readonly StateChange[] | undefined> {
  const { readers, verifySignature } = deps
  const known = (await eventsByIds(room, [headId], readers)).get(headId)
  if (known?.stateBefore === undefined || !room.heads.some((head) => head.id === headId)) return []
  const completed = await withAbsent(room, known.stateBefore, peerState, deps)
  const stateBefore = await resolveRoots(room, [completed, peerState], deps)
  if (stateBefore === known.stateBefore) return []
  const { event } = known
  const judges = await stateEvents(room, authStateKeys(event, room.rules), readers, stateBefore)
  const verdict = checkAuth(
    event,
    (type, stateKey) => judges.get(mapKey({ type, stateKey }))?.event,
    verifySignature,
  )
  if (!verdict.ok) return undefined
  if (deps.access !== undefined && !(await judgeAccess(room, event, stateBefore, readers, deps.access)).ok)
    return undefined
  const key = event.stateKey === undefined ? undefined : { type: event.type, stateKey: event.stateKey }
  const stateAfter =
    key === undefined ? stateBefore : await setState(room, stateBefore, key, known.nid, readers)
  const stored = { ...known, stateBefore, stateAfter }
  room.byNid.set(stored.nid, stored)
  room.byId.set(event.id, stored)
  const heads = await eventsByNids(
    room,
    room.heads.map((head) => head.nid),
    readers,
  )
  const before = room.root
  const roots = [...heads.values()].flatMap((head) =>
    head.nid === stored.nid ? stateAfter : (head.stateAfter ?? []),
  )
  room.root = await resolveRoots(room, roots, deps)
  const changes = before === room.root ? [] : await stateChanges(room, before, room.root, deps)
  addPending(
    room,
    {
      stored,
      json: canonicalJson(event.pdu, canonicalMode(event.rules)),
      live: false,
      isRevised: true,
      stateChanges: changes,
      fromResolution: changes,
      destinations: [],
      unread: undefined,
      isNew: false,
      missing: [],
      redaction: undefined,
      clientTxn: undefined,
    },
    readers,
  )
  return changes
}

/**
 * A state with those entries of another that it lacks. Resolution would weigh them by what has become of their senders since: the power levels of
 * somebody who has left the room would never come in.
 */
async function withAbsent(
  room: WorkingRoom,
  own: NodeName,
  other: NodeName,
  { readers }: Pick<LocalEventDeps, 'readers'>,
): Promise<NodeName> {
  const diff = await readers.states.diff(room.base.nid, own, other, room.nodes)
  const absent = new Map<number, number>()
  for (const [key, [here, there]] of diff) {
    if (here === undefined && there !== undefined) absent.set(key, there)
  }
  if (absent.size === 0) return own
  const updated = await readers.states.update(room.base.nid, own, absent, room.nodes)
  for (const [name, node] of updated.created) room.nodes.set(name, node)
  return updated.root
}
