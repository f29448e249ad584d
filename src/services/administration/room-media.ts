import { notFound } from '../../core/errors.js'
import { isObject, ownValue, type Json, type JsonObject } from '../../core/json/value.js'
import { parseMxcUri } from '../../core/ids/mxc-uri.js'
import { createPace } from '../../platform/pace.js'
import { eventsBefore } from '../../storage/tables/events.js'
import type { MediaKey } from '../media/media-moderation.js'
import type { RoomsContext } from '../rooms/context.js'

/** Media that the events of a room name openly; what stands in encrypted ones is seen by nobody. Throws M_NOT_FOUND. */
export interface RoomMedia {
  of(roomId: string): Promise<readonly MediaKey[]>
}

const PAGE = 500
/** Media of one room that are told of; the latest. */
const MAX_MEDIA = 100_000

/** What the content of an event names openly. */
export function mediaIn(content: JsonObject): MediaKey[] {
  const info = ownValue(content, 'info')
  const named: (Json | undefined)[] = [
    ownValue(content, 'url'),
    isObject(info) ? ownValue(info, 'thumbnail_url') : undefined,
  ]
  return named.flatMap((uri) => {
    const mxc = typeof uri === 'string' ? parseMxcUri(uri) : undefined
    return mxc === undefined ? [] : [[mxc.serverName, mxc.mediaId] as const]
  })
}

export function createRoomMedia(context: Pick<RoomsContext, 'store' | 'loader' | 'events'>): RoomMedia {
  return {
    async of(roomId) {
      const room = await context.loader.load(roomId)
      if (room === undefined) throw notFound('This server knows no such room')
      const found = new Map<string, MediaKey>()
      const pace = createPace()
      let place: { readonly depth: number; readonly ord: number } = {
        depth: Number.MAX_SAFE_INTEGER,
        ord: Number.MAX_SAFE_INTEGER,
      }
      while (found.size < MAX_MEDIA) {
        const from = place
        const rows = await context.store.read('administration.roomMedia', () =>
          eventsBefore(room.nid, from.depth, from.ord, PAGE),
        )
        for (const { event } of await context.events.revive(rows)) {
          await pace()
          for (const key of mediaIn(event.content)) found.set(key.join('/'), key)
        }
        const last = rows.at(-1)
        if (rows.length < PAGE || last === undefined) break
        place = { depth: last.depth, ord: last.ord ?? 0 }
      }
      return [...found.values()]
    },
  }
}
