import { serverNameOf } from '../../core/ids/server-name-of.js'
import type { JsonObject } from '../../core/json/value.js'
import type { SpaceChild } from '../../core/space-child.js'
import type { RoomsContext } from '../rooms/context.js'
import { loadResident } from '../rooms/residence.js'
import type { AccessFacts, Standings } from './access.js'
import type { PeerHierarchy } from './peer-answer.js'
import type { PeerSummaries } from './peer-summaries.js'
import { roomSummary } from './room-summary.js'
import type { SpaceChildren } from './space-children.js'

/** A room that was found, here or elsewhere; whether somebody may see it is not decided. */
export interface FoundRoom {
  readonly entry: JsonObject
  readonly facts: AccessFacts
  readonly children: readonly SpaceChild[]
  /** The whole answer of the server that described it. */
  readonly peer: PeerHierarchy | undefined
}

export interface LookupDeps {
  readonly context: RoomsContext
  readonly children: SpaceChildren
  readonly peers: PeerSummaries
}

/** The room as this server knows it; undefined where nobody here is in it. */
export async function localRoom(
  { context, children }: Omit<LookupDeps, 'peers'>,
  roomId: string,
): Promise<FoundRoom | undefined> {
  const room = await loadResident(context, roomId)
  if (room === undefined) return undefined
  const { entry, facts } = await roomSummary(context, room)
  const isSpace = entry['room_type'] === 'm.space'
  return { entry, facts, children: isSpace ? await children.of(room) : [], peer: undefined }
}

export const foundAtPeer = (peer: PeerHierarchy): FoundRoom => ({ ...peer.room, peer })

/** Whom to ask about a room: those that are named, who invited the user, and the server in its id. */
export function serversFor(roomId: string, via: readonly string[], standings: Standings): string[] {
  const standing = standings.get(roomId)
  const inviter = standing?.membership === 'invite' ? serverNameOf(standing.sender) : undefined
  return [inviter, ...via, serverNameOf(roomId)].filter((server) => server !== undefined)
}
