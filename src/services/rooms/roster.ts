import { createLoadingCache } from '../../platform/loading-cache.js'
import { joinedServers, localMembers } from '../../storage/tables/memberships.js'
import type { Store, Tx } from '../../storage/tx.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'

/** Who has joined a room: local users to notify, other servers (with their number of joined users) to send to. */
export interface Roster {
  readonly local: ReadonlySet<string>
  readonly servers: ReadonlyMap<string, number>
}

export interface MemberChange {
  readonly userId: string
  readonly before: string | undefined
  readonly after: string | undefined
}

export interface Rosters {
  of(roomNid: number): Promise<Roster>
  /** After a commit: the roster that the room has now. */
  set(roomNid: number, roster: Roster): void
  forget(roomNid: number): void
}

export function applyMemberChanges(
  roster: Roster,
  changes: readonly MemberChange[],
  serverName: string,
): Roster {
  const moved = changes.filter((change) => (change.before === 'join') !== (change.after === 'join'))
  if (moved.length === 0) return roster
  const local = new Set(roster.local)
  const servers = new Map(roster.servers)
  for (const { userId, after } of moved) {
    const server = serverNameOf(userId)
    if (server === undefined) continue
    if (server === serverName) {
      if (after === 'join') local.add(userId)
      else local.delete(userId)
      continue
    }
    const count = (servers.get(server) ?? 0) + (after === 'join' ? 1 : -1)
    if (count > 0) servers.set(server, count)
    else servers.delete(server)
  }
  return { local, servers }
}

/** A roster in which these servers have one more user, whom nobody here knows. */
export function withServers(roster: Roster, names: readonly string[]): Roster {
  const servers = new Map(roster.servers)
  for (const name of names) servers.set(name, (servers.get(name) ?? 0) + 1)
  return { local: roster.local, servers }
}

export function createRosters(store: Store): Rosters {
  const rosters = createLoadingCache<number, Roster>({
    max: 5_000,
    load: (roomNid) => store.read('rooms.roster', () => readRoster(roomNid)),
  })
  return {
    of: async (roomNid) => (await rosters.get(roomNid))!,
    set: (roomNid, roster) => rosters.set(roomNid, roster),
    forget: (roomNid) => rosters.forget(roomNid),
  }
}

function* readRoster(roomNid: number): Tx<Roster> {
  const local = yield* localMembers(roomNid, 'join')
  const servers = yield* joinedServers(roomNid)
  return { local: new Set(local), servers: new Map(servers.map((row) => [row.server, row.users])) }
}
