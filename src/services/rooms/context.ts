import type { PowerLevels } from '../../core/auth/power-levels.js'
import type { NodeName } from '../../core/state-trie/node.js'
import type { RoomVersionRules } from '../../core/room-version/rules.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import type { Random } from '../../platform/random.js'
import type { Store } from '../../storage/tx.js'
import type { EventStore } from './event-store.js'
import type { LastAdministratorRule } from '../../core/access-rules/last-administrator.js'
import type { LocalEventDeps } from './local-event.js'
import { notInRoom } from './not-in-room.js'
import type { PolicySigner } from './policy-servers.js'
import type { RoomLoader } from './room-loader.js'
import { POWER_KEYS, powerLevelsIn } from './room-power.js'
import type { RoomRetention } from './room-retention.js'
import type { RoomPolicies } from './room-policies.js'
import type { RoomWriter } from './room-writer.js'
import { mapKey, type StateKey, type StateStore } from './state-store.js'
import type { StoredEvent } from './stored-event.js'
import type { Rosters } from './roster.js'
import type { RoomSnapshot } from './working-room.js'

/** What the use cases of rooms share. */
export interface RoomsContext {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly serverName: string
  readonly events: EventStore
  readonly states: StateStore
  readonly loader: RoomLoader
  readonly rosters: Rosters
  readonly writer: RoomWriter
  readonly local: LocalEventDeps
  /** Absent where what is said is kept for ever. */
  readonly retention?: RoomRetention
  readonly defaultVersion: RoomVersionRules
  /** What becomes of a room whose last administrator goes. */
  readonly lastAdministrator: LastAdministratorRule
  /** Absent where no other server is spoken to. */
  readonly policySigner?: PolicySigner
  /** Resolves when a partial room is whole, at once for any other; rejects with M_UNABLE_DUE_TO_PARTIAL_STATE after a while. */
  readonly awaitWhole: (roomId: string) => Promise<void>
  /** Absent where no lists are followed. */
  readonly policies?: RoomPolicies | undefined
}

/** Reads some keys of a state; by default the current one. */
export async function readState(
  context: Pick<RoomsContext, 'events' | 'states'>,
  room: RoomSnapshot,
  keys: readonly StateKey[],
  root: NodeName | undefined = room.root,
): Promise<Map<string, StoredEvent>> {
  if (root === undefined) return new Map()
  const nids = await context.states.read(room.nid, root, keys)
  const byNid = await context.events.byNids([...nids.values()])
  const out = new Map<string, StoredEvent>()
  for (const [key, nid] of nids) {
    const event = byNid.get(nid)
    if (event !== undefined) out.set(key, event)
  }
  return out
}

/** The power levels of a room as it is now. */
export async function readPowerLevels(
  context: Pick<RoomsContext, 'events' | 'states'>,
  room: RoomSnapshot,
): Promise<PowerLevels> {
  return powerLevelsIn(await readState(context, room, POWER_KEYS))
}

/** All events of a state. */
export async function readWholeState(
  context: Pick<RoomsContext, 'events' | 'states'>,
  room: Pick<RoomSnapshot, 'nid'>,
  root: NodeName,
): Promise<StoredEvent[]> {
  const nids = await context.states.all(room.nid, root)
  const byNid = await context.events.byNids([...nids.values()])
  return [...byNid.values()]
}

export async function readStateEvent(
  context: Pick<RoomsContext, 'events' | 'states'>,
  room: RoomSnapshot,
  type: string,
  stateKey: string,
  root: NodeName | undefined = room.root,
): Promise<StoredEvent | undefined> {
  const key = { type, stateKey }
  return (await readState(context, room, [key], root)).get(mapKey(key))
}

export async function loadRoom(context: RoomsContext, roomId: string): Promise<RoomSnapshot> {
  const room = await context.loader.load(roomId)
  if (room === undefined) throw notInRoom()
  return room
}
