import { aliasesOf } from '../../storage/tables/aliases.js'
import type { Tx } from '../../storage/tx.js'
import type { RoomsContext } from '../rooms/context.js'
import type { Appservice } from './registry.js'

/**
 * Whether an application service is interested in a room: one of its users has joined it, or its id or an alias of it lies in a namespace.
 * SPEC: https://spec.matrix.org/v1.19/application-service-api/#registration
 */
export interface Interest {
  /** By the members alone. A set of members that was looked at before costs nothing: a room has another one after each change. */
  hasMember(appservice: Appservice, local: ReadonlySet<string>): boolean
  /** By the room's id and its aliases. */
  byName(appservice: Appservice, roomId: string): Tx<boolean>
}

export function createInterest(): Interest {
  const known = new WeakMap<ReadonlySet<string>, Map<string, boolean>>()
  return {
    hasMember(appservice, local) {
      const byId = known.get(local) ?? new Map<string, boolean>()
      known.set(local, byId)
      const before = byId.get(appservice.id)
      if (before !== undefined) return before
      let found = false
      for (const userId of local) {
        found = appservice.ownsUser(userId)
        if (found) break
      }
      byId.set(appservice.id, found)
      return found
    },
    *byName(appservice, roomId) {
      if (appservice.ownsRoom(roomId)) return true
      if (appservice.registration.aliases.length === 0) return false
      return (yield* aliasesOf(roomId)).some((alias) => appservice.ownsAlias(alias))
    },
  }
}

/** As of now, for what is kept outside of a room's transactions. */
export async function isInterested(
  context: Pick<RoomsContext, 'store' | 'rosters' | 'events'>,
  interest: Interest,
  appservice: Appservice,
  roomNid: number,
): Promise<boolean> {
  const { local } = await context.rosters.of(roomNid)
  if (interest.hasMember(appservice, local)) return true
  const { aliases, rooms } = appservice.registration
  if (aliases.length === 0 && rooms.length === 0) return false
  const { roomId } = await context.events.meta(roomNid)
  return await context.store.read('appservices.room', () => interest.byName(appservice, roomId))
}
