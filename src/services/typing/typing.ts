import type { Clock } from '../../platform/clock.js'
import { createEphemeralPositions, type EphemeralPositions } from '../ephemeral-positions.js'

/** Who types where. Kept in memory: it is over in seconds anyway. */
export interface Typing {
  /** `timeoutMs` 0 or undefined: stopped. Capped at two minutes. True when the list of typists changed. */
  set(roomNid: number, userId: string, timeoutMs: number | undefined): boolean
  /** Typists of a room, those whose time is over left out. */
  in(roomNid: number): readonly string[]
  /** Whether the list changed after this position. */
  changedSince(roomNid: number, position: number): boolean
  /** Rooms whose list changed after a position. */
  roomsChangedSince(position: number): readonly number[]
  /** Rises with each change; part of sync tokens. Begins beyond what a former run of the program gave out. */
  position(): number
  /** Ends what is outlived; gives the rooms that changed. Called every second or so. */
  expire(): readonly number[]
}

const MAX_TIMEOUT = 120_000
const MAX_ROOMS = 10_000
const MAX_TYPISTS = 200

export function createTyping(
  clock: Clock,
  positions: EphemeralPositions = createEphemeralPositions(clock),
): Typing {
  const rooms = new Map<number, { readonly typists: Map<string, number>; changed: number }>()

  function touch(room: { changed: number }): void {
    room.changed = positions.next()
  }

  /** A position from before a restart with a clock that had stepped back lies ahead of ours: it says nothing. */
  const known = (since: number): number => (since > positions.current() ? 0 : since)

  return {
    set(roomNid, userId, timeoutMs) {
      let room = rooms.get(roomNid)
      if (timeoutMs === undefined || timeoutMs <= 0) {
        if (room === undefined || !room.typists.delete(userId)) return false
        touch(room)
        return true
      }
      if (room === undefined) {
        if (rooms.size >= MAX_ROOMS) rooms.delete(rooms.keys().next().value!)
        room = { typists: new Map(), changed: 0 }
        rooms.set(roomNid, room)
      }
      const known = room.typists.has(userId)
      if (!known && room.typists.size >= MAX_TYPISTS) return false
      room.typists.set(userId, clock.monotonic() + Math.min(timeoutMs, MAX_TIMEOUT))
      if (known) return false
      touch(room)
      return true
    },
    in(roomNid) {
      const now = clock.monotonic()
      const typists = rooms.get(roomNid)?.typists ?? new Map<string, number>()
      return [...typists].filter(([, until]) => until > now).map(([userId]) => userId)
    },
    changedSince: (roomNid, since) => (rooms.get(roomNid)?.changed ?? 0) > known(since),
    roomsChangedSince: (since) =>
      [...rooms].filter(([, room]) => room.changed > known(since)).map(([nid]) => nid),
    position: positions.current,
    expire() {
      const now = clock.monotonic()
      const changed: number[] = []
      for (const [nid, room] of rooms) {
        let any = false
        for (const [userId, until] of room.typists) {
          if (until <= now) any = room.typists.delete(userId) || any
        }
        if (any) {
          touch(room)
          changed.push(nid)
        } else if (room.typists.size === 0 && positions.current() - room.changed > 10_000) {
          rooms.delete(nid)
        }
      }
      return changed
    },
  }
}
