import { invalidParam } from '../../../core/errors.js'

/**
 * What a connection has been told: the answers are differences to it. States are values; each answer that changes one makes
 * the next, under a number of its own, and the client says by its `pos` which of them it has.
 *
 * A stream that tells of rooms one by one is, for a room, in one of three conditions: never told (undefined), up to date as of
 * the `pos` (0), or fallen behind (the position up to which it was told), because there was news while the client did not
 * look at the room. So a message in a room that is up to date leaves the state as it is.
 */
export type Told = number | undefined

export const UP_TO_DATE = 0

export interface RoomState {
  /** The room itself: 0 or the position that it fell behind at. */
  readonly room: number
  /** The user's membership when it was told. */
  readonly membership: string
  /** So many of the latest events are known to the client. */
  readonly timeline: number
  /** Id of the required state that was last looked at, as an index of `configs`. */
  readonly config: number
  readonly isDm: boolean
  readonly receipts: Told
  readonly accountData: Told
  /** Who types was told, and what changed since was not. */
  readonly typingMissed: boolean
  /** Members that were told because they spoke, in the order of that. */
  readonly members: readonly string[]
  /** Profiles of the room's users were told (MSC4262). */
  readonly profilesTold?: boolean
}

/** A list as it was told: its name, how many rooms it has, and by which filters. */
export type ListState = readonly [name: string, count: number, filterId: string]

export interface ConnectionMeta {
  /** Required states by their number; a hole is one that no room refers to any more. */
  readonly configs: readonly (string | null)[]
  readonly lists: readonly ListState[]
  /** Global account data, and whose devices changed. */
  readonly accountData: number | null
  readonly deviceLists: number | null
  /** The threads that the user follows; absent where nobody has asked. */
  readonly threads?: number | null
  /** Sticky events, in the same way. */
  readonly sticky?: number | null
  /** Changes of profiles; absent where nobody has asked. */
  readonly profiles?: ProfilesTold
}

/** What a client was told of profiles: as of where, as in the others; and of which fields, null for all. */
export interface ProfilesTold {
  readonly at: number
  readonly fields: readonly string[] | null
}

export interface ConnectionState {
  readonly meta: ConnectionMeta
  readonly rooms: ReadonlyMap<number, RoomState>
}

export const NOTHING_TOLD: ConnectionState = {
  meta: { configs: [], lists: [], accountData: null, deviceLists: null },
  rooms: new Map(),
}

/** What an answer changes of a state. */
export interface StateChange {
  readonly meta: ConnectionMeta | undefined
  /** Null: the client knows nothing of the room any more. */
  readonly rooms: ReadonlyMap<number, RoomState | null>
}

export const isChange = (change: StateChange): boolean => change.meta !== undefined || change.rooms.size > 0

/** The state after a change. */
export function applyChange(state: ConnectionState, change: StateChange): ConnectionState {
  const rooms = new Map(state.rooms)
  for (const [nid, room] of change.rooms) {
    if (room === null) rooms.delete(nid)
    else rooms.set(nid, room)
  }
  return { meta: change.meta ?? state.meta, rooms }
}

type Packed = readonly [
  room: number,
  membership: string,
  timeline: number,
  config: number,
  flags: number,
  receipts: number,
  accountData: number,
  members: readonly string[],
]
const NEVER = -1

/** A room's state as text for the database. */
export function packRoom(room: RoomState): string {
  const packed: Packed = [
    room.room,
    room.membership,
    room.timeline,
    room.config,
    (room.isDm ? 1 : 0) + (room.typingMissed ? 2 : 0) + (room.profilesTold === true ? 4 : 0),
    room.receipts ?? NEVER,
    room.accountData ?? NEVER,
    room.members,
  ]
  return JSON.stringify(packed)
}

/** Pre: the text was made by `packRoom`. */
export function unpackRoom(text: string): RoomState {
  const [room, membership, timeline, config, flags, receipts, accountData, members] = JSON.parse(
    text,
  ) as Packed
  const told = (value: number): Told => (value === NEVER ? undefined : value)
  return {
    room,
    membership,
    timeline,
    config,
    isDm: (flags & 1) !== 0,
    typingMissed: (flags & 2) !== 0,
    receipts: told(receipts),
    accountData: told(accountData),
    members,
    ...((flags & 4) === 0 ? {} : { profilesTold: true }),
  }
}

/** A change as text for the database. */
export const packChange = (change: StateChange): string =>
  JSON.stringify({
    ...(change.meta === undefined ? {} : { meta: change.meta }),
    rooms: [...change.rooms].map(([nid, room]) => [nid, room === null ? null : packRoom(room)]),
  })

interface PackedChange {
  readonly meta?: ConnectionMeta
  readonly rooms: readonly (readonly [number, string | null])[]
}

/** Pre: the text was made by `packChange`. The rooms stay packed, as they are stored. */
export const readPackedChange = (text: string): PackedChange => JSON.parse(text) as PackedChange

/** Pre: the text was made by `packChange`. */
export function unpackChange(text: string): StateChange {
  const packed = readPackedChange(text)
  return {
    meta: packed.meta,
    rooms: new Map(packed.rooms.map(([nid, room]) => [nid, room === null ? null : unpackRoom(room)])),
  }
}

/** A client has two or three. */
const MAX_CONFIGS = 64
/** Characters of one. */
const MAX_CONFIG = 16_384

/** The number of a required state, given one if it is new; numbers that no room refers to are given again. Throws M_INVALID_PARAM for too much of it. */
export function configNumber(
  configs: readonly (string | null)[],
  id: string,
  isUsed: (config: number) => boolean,
): { readonly config: number; readonly configs: readonly (string | null)[] } {
  const known = configs.indexOf(id)
  if (known !== -1) return { config: known, configs }
  if (id.length > MAX_CONFIG) throw invalidParam('The required state of a room is too long')
  const hole = configs.findIndex((text, config) => text === null || !isUsed(config))
  if (hole !== -1) return { config: hole, configs: configs.with(hole, id) }
  if (configs.length >= MAX_CONFIGS)
    throw invalidParam('Too many rooms with required states that differ from each other')
  return { config: configs.length, configs: [...configs, id] }
}
