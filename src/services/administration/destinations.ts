import { invalidParam, notFound } from '../../core/errors.js'
import { isServerName } from '../../core/ids/server-name.js'
import type { JsonObject } from '../../core/json/value.js'
import { createPace } from '../../platform/pace.js'
import { destination, destinationsNamed, type DestinationRow } from '../../storage/tables/outbox.js'
import { roomsAfter, serversOfRooms } from '../../storage/tables/room-list.js'
import type { Store } from '../../storage/tx.js'
import { MAX_PAGE } from './users.js'

export type DestinationOrder = 'destination' | 'retry_last_ts' | 'retry_interval' | 'failure_ts'
interface Page {
  readonly offset: number
  readonly limit: number
  readonly descending: boolean
}

/** Servers that this one sends to, for administrators. Throws M_INVALID_PARAM; M_NOT_FOUND for those that it does not send to. */
export interface Destinations {
  list(
    query: Page & { readonly order: DestinationOrder; readonly term?: string | undefined },
  ): Promise<JsonObject>
  details(name: string): Promise<JsonObject>
  rooms(name: string, page: Page): Promise<JsonObject>
  /** Throws M_INVALID_PARAM where nothing keeps it from being tried. */
  tryAgain(name: string): Promise<void>
}

const BATCH = 100

const shown = (name: string, row: DestinationRow | undefined) => ({
  destination: name,
  // When it was tried last.
  retry_last_ts: Math.max(0, (row?.retry_at ?? 0) - (row?.retry_interval ?? 0)),
  retry_interval: row?.retry_interval ?? 0,
  failure_ts: row?.failing_since ?? null,
  last_successful_stream_ordering: null,
})

export function createDestinations(deps: {
  readonly store: Store
  /** The server is up: what waits for it is tried at once. */
  readonly onContact: (serverName: string) => void
}): Destinations {
  const { store } = deps

  /** Calls `visit` with each room and server that share it. */
  async function eachShared(visit: (server: string, roomId: string) => void): Promise<void> {
    const pace = createPace()
    for (let after = -1; ;) {
      const from = after
      const { rooms, shared } = await store.read('administration.shared', function* () {
        const found = yield* roomsAfter(from, BATCH)
        return { rooms: found, shared: yield* serversOfRooms(found.map(({ nid }) => nid)) }
      })
      for (const row of shared) visit(row.server, row.room_id)
      await pace()
      if (rooms.length < BATCH) return
      after = rooms.at(-1)!.nid
    }
  }

  const rowOf = (name: string): Promise<DestinationRow | undefined> =>
    store.read('administration.destination', () => destination(name))

  async function sharedWith(name: string): Promise<string[]> {
    const rooms: string[] = []
    await eachShared((server, roomId) => {
      if (server === name) rooms.push(roomId)
    })
    return rooms
  }

  async function known(name: string): Promise<{ row: DestinationRow | undefined; rooms: string[] }> {
    if (!isServerName(name)) throw invalidParam('This is not a server name')
    const row = await rowOf(name)
    const rooms = await sharedWith(name)
    if (row === undefined && rooms.length === 0) throw notFound('This server sends nothing there')
    return { row, rooms }
  }

  return {
    async list({ order, descending, offset, limit, term }) {
      const servers = new Set<string>()
      await eachShared((server) => servers.add(server))
      const rows = await store.read('administration.destinations', destinationsNamed)
      const byName = new Map(rows.map((row) => [row.server_name, row]))
      for (const name of byName.keys()) servers.add(name)
      const lower = term?.toLowerCase() ?? ''
      const all = [...servers]
        .filter((name) => name.toLowerCase().includes(lower))
        .map((name) => shown(name, byName.get(name)))
      const turn = descending ? -1 : 1
      const compare = (a: string | number, b: string | number): number => (a < b ? -1 : a > b ? 1 : 0)
      all.sort(
        (a, b) => turn * compare(a[order] ?? 0, b[order] ?? 0) || compare(a.destination, b.destination),
      )
      const page = all.slice(offset, offset + Math.min(limit, MAX_PAGE))
      const next = offset + page.length
      return {
        destinations: page,
        total: all.length,
        ...(page.length > 0 && next < all.length ? { next_token: String(next) } : {}),
      }
    },

    details: async (name) => shown(name, (await known(name)).row),

    async rooms(name, { offset, limit, descending }) {
      const all = (await known(name)).rooms.toSorted()
      if (descending) all.reverse()
      const page = all.slice(offset, offset + Math.min(limit, MAX_PAGE))
      const next = offset + page.length
      return {
        // Nothing is numbered by room here.
        rooms: page.map((roomId) => ({ room_id: roomId, stream_ordering: null })),
        total: all.length,
        ...(page.length > 0 && next < all.length ? { next_token: String(next) } : {}),
      }
    },

    async tryAgain(name) {
      const { row } = await known(name)
      if ((row?.failing_since ?? null) === null) throw invalidParam('The server is not being left alone')
      deps.onContact(name)
    },
  }
}
