import type { Requester } from '../requester.js'
import type { Services } from '../services.js'

export interface ClientEvent {
  readonly event_id: string
  readonly type: string
  readonly state_key?: string
  readonly sender: string
  readonly content: Readonly<Record<string, unknown>>
  readonly unsigned?: Readonly<Record<string, unknown>>
}

export interface RoomAnswer {
  readonly timeline: {
    readonly events: readonly ClientEvent[]
    readonly limited: boolean
    readonly prev_batch: string
  }
  readonly state?: { readonly events: readonly ClientEvent[] }
  readonly state_after?: { readonly events: readonly ClientEvent[] }
  readonly ephemeral?: {
    readonly events: readonly { readonly type: string; readonly content: Record<string, unknown> }[]
  }
  readonly account_data?: {
    readonly events: readonly { readonly type: string; readonly content: unknown }[]
  }
  readonly unread_notifications?: {
    readonly notification_count: number
    readonly highlight_count: number
  }
  readonly summary?: Readonly<Record<string, unknown>>
}

export interface SyncAnswer {
  readonly next_batch: string
  readonly rooms: Readonly<
    Partial<Record<'join' | 'leave' | 'invite' | 'knock', Readonly<Record<string, RoomAnswer>>>>
  >
}

/** What a client knows of one room by its syncs alone. */
export interface KnownRoom {
  membership: string
  /** Event ids by type and key. */
  readonly state: Map<string, string>
  /** Ids of the timeline's events, oldest first, gaps filled by paging back. */
  timeline: string[]
  unread: number
  readonly receipts: Map<string, string>
  readonly accountData: Map<string, string>
  readonly summary: Map<string, unknown>
}

export interface FollowerOptions {
  readonly stateAfter: boolean
  readonly lazy: boolean
  readonly limit: number
}

/** A client that holds what it was told, as the specification tells it to. */
export interface Follower {
  readonly requester: Requester
  readonly options: FollowerOptions
  readonly rooms: ReadonlyMap<string, KnownRoom>
  /** Token of the last answer. */
  readonly since: string | undefined
  sync(services: Services): Promise<SyncAnswer>
}

export const keyOf = (event: ClientEvent): string => `${event.type}|${event.state_key}`

/**
 * After a gap a client begins its timeline anew, and pages back until it meets what it had: `known`, oldest first, ids of events.
 * `limit`: events in a page.
 */
export async function acrossGap(
  services: Services,
  requester: Requester,
  gap: { readonly roomId: string; readonly from: string; readonly limit: number },
  known: readonly string[],
): Promise<string[]> {
  const { roomId, limit } = gap
  const found: string[] = []
  let place: string | undefined = gap.from
  while (place !== undefined) {
    const page = (await services.history
      .messages(requester, { roomId, dir: 'b', from: place, limit })
      // Of a room that one never was in there is nothing to read.
      .catch(() => ({ chunk: [] }))) as unknown as {
      chunk: readonly Pick<ClientEvent, 'event_id'>[]
      end?: string
    }
    for (const event of page.chunk) {
      const met = known.indexOf(event.event_id)
      if (met !== -1) return [...known.slice(0, met + 1), ...found.toReversed()]
      found.push(event.event_id)
    }
    place = page.end
  }
  return found.toReversed()
}

export function follow(requester: Requester, options: FollowerOptions): Follower {
  const rooms = new Map<string, KnownRoom>()
  let since: string | undefined

  const roomOf = (roomId: string): KnownRoom => {
    let room = rooms.get(roomId)
    if (room === undefined) {
      room = {
        membership: 'none',
        state: new Map(),
        timeline: [],
        unread: 0,
        receipts: new Map(),
        accountData: new Map(),
        summary: new Map(),
      }
      rooms.set(roomId, room)
    }
    return room
  }

  async function take(
    services: Services,
    roomId: string,
    membership: string,
    answer: RoomAnswer,
  ): Promise<void> {
    const room = roomOf(roomId)
    const { timeline } = answer
    const before = timeline.limited
      ? await acrossGap(services, requester, { roomId, from: timeline.prev_batch, limit: 4 }, room.timeline)
      : room.timeline
    const fresh = timeline.events.map((event) => event.event_id).filter((id) => !before.includes(id))
    room.timeline = [...before, ...fresh]
    if (membership === 'join' && room.membership !== 'join' && options.lazy) {
      // Who came and went meanwhile is not told: a client that loads members lazily asks again.
      for (const key of room.state.keys()) if (key.startsWith('m.room.member|')) room.state.delete(key)
    }
    for (const event of answer.state?.events ?? []) room.state.set(keyOf(event), event.event_id)
    if (!options.stateAfter) {
      for (const event of timeline.events) {
        if (event.state_key !== undefined) room.state.set(keyOf(event), event.event_id)
      }
    }
    for (const event of answer.state_after?.events ?? []) room.state.set(keyOf(event), event.event_id)
    for (const { type, content } of answer.ephemeral?.events ?? []) {
      if (type !== 'm.receipt') continue
      for (const [eventId, byType] of Object.entries(content)) {
        for (const [kind, byUser] of Object.entries(byType as Record<string, Record<string, object>>)) {
          for (const [userId, data] of Object.entries(byUser)) {
            const thread = (data as { thread_id?: string }).thread_id ?? ''
            room.receipts.set(`${kind}|${userId}|${thread}`, eventId)
          }
        }
      }
    }
    for (const { type, content } of answer.account_data?.events ?? [])
      room.accountData.set(type, JSON.stringify(content))
    for (const [name, value] of Object.entries(answer.summary ?? {})) room.summary.set(name, value)
    if (answer.unread_notifications !== undefined)
      room.unread = answer.unread_notifications.notification_count
  }

  return {
    requester,
    options,
    rooms,
    get since() {
      return since
    },
    async sync(services) {
      const members = { lazy_load_members: options.lazy }
      const answer = (await services.sync.sync(requester, {
        since,
        filter: { room: { timeline: { limit: options.limit, ...members }, state: members } },
        fullState: false,
        timeoutMs: 0,
        stateAfter: options.stateAfter ? 'state_after' : 'no',
        signal: new AbortController().signal,
      })) as unknown as SyncAnswer
      since = answer.next_batch
      for (const membership of ['leave', 'join'] as const) {
        for (const [roomId, room] of Object.entries(answer.rooms[membership] ?? {})) {
          await take(services, roomId, membership, room)
          roomOf(roomId).membership = membership
        }
      }
      for (const membership of ['invite', 'knock'] as const)
        for (const roomId of Object.keys(answer.rooms[membership] ?? {}))
          roomOf(roomId).membership = membership
      return answer
    },
  }
}
