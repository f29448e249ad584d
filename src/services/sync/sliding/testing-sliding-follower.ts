import type { Requester } from '../../requester.js'
import type { Services } from '../../services.js'
import { acrossGap } from '../testing-follower.js'
import type { SlidingBody } from './request.js'
import { slide, type SlidingAnswer, type SlidingEvent, type SlidingRoom } from './testing-sliding.js'

/** What a client knows of one room by sliding sync alone. */
export interface KnownSlidingRoom {
  membership: string
  name: string | null
  isDm: boolean
  joined: number | undefined
  unread: number | undefined
  highlights: number | undefined
  /** Event ids by type and key. */
  readonly state: Map<string, string>
  /** Ids of events, oldest first, gaps filled by paging back. */
  timeline: string[]
  readonly receipts: Map<string, string>
  readonly accountData: Map<string, string>
}

/** A client that holds what it was told, on one connection. */
export interface SlidingFollower {
  readonly rooms: ReadonlyMap<string, KnownSlidingRoom>
  readonly global: ReadonlyMap<string, string>
  readonly counts: ReadonlyMap<string, number>
  /** One request. `lost`: its answer does not arrive. */
  poll(services: Services, body: SlidingBody, lost?: boolean): Promise<SlidingAnswer>
}

export const slidingKey = (event: SlidingEvent): string => `${event.type}|${event.state_key}`

export function followSliding(requester: Requester): SlidingFollower {
  const rooms = new Map<string, KnownSlidingRoom>()
  const global = new Map<string, string>()
  const counts = new Map<string, number>()
  let pos: string | undefined

  const blank = (): KnownSlidingRoom => ({
    membership: 'none',
    name: null,
    isDm: false,
    joined: undefined,
    unread: undefined,
    highlights: undefined,
    state: new Map(),
    timeline: [],
    receipts: new Map(),
    accountData: new Map(),
  })

  async function take(services: Services, roomId: string, answer: SlidingRoom): Promise<void> {
    const old = rooms.get(roomId)
    const room = old === undefined || answer.initial === true ? blank() : old
    // What extensions told of a room stays when the room itself is told anew.
    if (old !== undefined && room !== old && old.membership === answer.membership) {
      for (const [key, value] of old.receipts) room.receipts.set(key, value)
      for (const [key, value] of old.accountData) room.accountData.set(key, value)
    }
    rooms.set(roomId, room)
    if (answer.membership !== undefined) room.membership = answer.membership
    if (answer.name !== undefined) room.name = answer.name
    if (answer.is_dm !== undefined) room.isDm = answer.is_dm
    room.joined = answer.joined_count ?? room.joined
    room.unread = answer.notification_count ?? room.unread
    room.highlights = answer.highlight_count ?? room.highlights
    for (const event of answer.required_state ?? []) {
      if (event.content === undefined) room.state.delete(slidingKey(event))
      else room.state.set(slidingKey(event), event.event_id)
    }
    const shown = (answer.timeline ?? []).map((event) => event.event_id)
    if (shown.length === 0 && answer.limited !== true) return
    if (answer.expanded_timeline === true) {
      const overlap = room.timeline.indexOf(shown[0] ?? '')
      const before = overlap === -1 ? [] : room.timeline.slice(0, overlap)
      room.timeline = answer.limited === true && overlap === -1 ? shown : [...before, ...shown]
    } else {
      const before =
        answer.limited === true && answer.prev_batch !== undefined
          ? await acrossGap(
              services,
              requester,
              { roomId, from: answer.prev_batch, limit: 10 },
              room.timeline,
            )
          : room.timeline
      room.timeline = [...before, ...shown.filter((id) => !before.includes(id))]
    }
  }

  return {
    rooms,
    global,
    counts,
    async poll(services, body, lost = false) {
      const answer = await slide(services, requester, body, { pos })
      if (lost) return answer
      pos = answer.pos
      for (const [name, { count }] of Object.entries(answer.lists)) counts.set(name, count)
      for (const [roomId, room] of Object.entries(answer.rooms)) await take(services, roomId, room)
      const { account_data: data, receipts } = answer.extensions
      for (const { type, content } of data?.global ?? []) global.set(type, JSON.stringify(content))
      for (const [roomId, events] of Object.entries(data?.rooms ?? {})) {
        for (const { type, content } of events)
          rooms.get(roomId)?.accountData.set(type, JSON.stringify(content))
      }
      for (const [roomId, { content }] of Object.entries(receipts?.rooms ?? {})) {
        for (const [eventId, byType] of Object.entries(content)) {
          for (const [kind, byUser] of Object.entries(byType as Record<string, Record<string, object>>)) {
            for (const [userId, receipt] of Object.entries(byUser)) {
              const thread = (receipt as { thread_id?: string }).thread_id ?? ''
              rooms.get(roomId)?.receipts.set(`${kind}|${userId}|${thread}`, eventId)
            }
          }
        }
      }
      return answer
    },
  }
}
