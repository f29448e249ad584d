import {
  configNumber,
  UP_TO_DATE,
  type ConnectionMeta,
  type ConnectionState,
  type ListState,
  type RoomState,
  type StateChange,
} from './connection-state.js'
import type { SlidingFrame } from './frame.js'
import type { RoomResult } from './room-result.js'

/** What an answer makes of a connection's state, gathered while it is computed. */
export interface NextState {
  /** A required state by its number, as the client was told by; undefined where it is not known. */
  stateText(config: number): string | undefined
  /** What the client will know of a room after this answer. */
  room(nid: number): RoomState | undefined
  tell(nid: number, result: RoomResult, stateId: string): void
  /** There was news in a room, and the client was not told. */
  fallBehind(nid: number): void
  setRoom(
    nid: number,
    part: Partial<Pick<RoomState, 'receipts' | 'accountData' | 'typingMissed' | 'profilesTold'>>,
  ): void
  setMeta(
    part: Partial<
      Pick<ConnectionMeta, 'lists' | 'accountData' | 'deviceLists' | 'threads' | 'sticky' | 'profiles'>
    >,
  ): void
  /** All of it that differs from what was. */
  change(): StateChange
}

export function nextState(frame: SlidingFrame): NextState {
  const { state, from } = frame
  const rooms = new Map<number, RoomState>()
  let meta = state.meta
  const current = (nid: number): RoomState | undefined => rooms.get(nid) ?? state.rooms.get(nid)

  function numberOf(stateId: string): number {
    const known = meta.configs.indexOf(stateId)
    if (known !== -1) return known
    const used = new Set<number>()
    for (const [nid, room] of state.rooms) used.add(rooms.get(nid)?.config ?? room.config)
    for (const room of rooms.values()) used.add(room.config)
    const { config, configs } = configNumber(meta.configs, stateId, (number) => used.has(number))
    if (configs !== meta.configs) meta = { ...meta, configs }
    return config
  }

  return {
    stateText: (config) => state.meta.configs[config] ?? undefined,
    room: current,
    tell(nid, { told, isInitial }, stateId) {
      const old = state.rooms.get(nid)
      const fresh = { receipts: undefined, accountData: undefined, typingMissed: true, profilesTold: false }
      rooms.set(nid, {
        ...(old === undefined || (isInitial && old.membership !== told.membership) ? fresh : old),
        ...told,
        config: numberOf(stateId),
      })
    },
    fallBehind(nid) {
      const room = current(nid)
      if (room === undefined || room.room !== UP_TO_DATE || from === 0) return
      rooms.set(nid, { ...room, room: from })
    },
    setRoom(nid, part) {
      const room = current(nid)
      if (room !== undefined) rooms.set(nid, { ...room, ...part })
    },
    setMeta(part) {
      meta = { ...meta, ...part }
    },
    change() {
      const changed = [...rooms].filter(([nid, room]) => !isSameRoom(room, state.rooms.get(nid)))
      return { meta: isSameMeta(meta, state) ? undefined : meta, rooms: new Map(changed) }
    },
  }
}

function isSameRoom(a: RoomState, b: RoomState | undefined): boolean {
  return (
    b !== undefined &&
    a.room === b.room &&
    a.membership === b.membership &&
    a.timeline === b.timeline &&
    a.config === b.config &&
    a.isDm === b.isDm &&
    a.receipts === b.receipts &&
    a.accountData === b.accountData &&
    a.typingMissed === b.typingMissed &&
    (a.profilesTold ?? false) === (b.profilesTold ?? false) &&
    a.members.length === b.members.length &&
    a.members.every((member, i) => member === b.members[i])
  )
}

const isSameMeta = (meta: ConnectionMeta, { meta: old }: ConnectionState): boolean =>
  meta.configs === old.configs &&
  meta.accountData === old.accountData &&
  meta.deviceLists === old.deviceLists &&
  meta.threads === old.threads &&
  meta.sticky === old.sticky &&
  meta.profiles === old.profiles &&
  isSameLists(meta.lists, old.lists)

const isSameLists = (lists: readonly ListState[], old: readonly ListState[]): boolean =>
  lists.length === old.length && lists.every((list, i) => list.every((part, at) => part === old[i]![at]))
