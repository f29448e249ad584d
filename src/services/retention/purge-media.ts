import { SERVER } from '../../core/audit/acts.js'
import { createPace } from '../../platform/pace.js'
import { localMediaAfter, localPeopleOf, profilePictures } from '../../storage/tables/retention.js'
import type { AuditTrail } from '../audit/trail.js'
import type { Media } from '../media/media.js'
import { mxcUri } from '../media/mxc.js'
import { readStateEvent, type RoomsContext } from '../rooms/context.js'
import type { LegalHolds } from './legal-holds.js'

const PAGE = 200

/**
 * Deletes files that users of this server uploaded before a moment. Which message a file belongs to is not known where rooms are encrypted, so that age alone decides; kept are
 * pictures of people and rooms as they are now, and what was uploaded by whoever is under a hold, or is or was in a room that is. Gives how many.
 */
export async function purgeMedia(
  deps: {
    readonly context: RoomsContext
    readonly media: Pick<Media, 'remove' | 'evictRemoteBefore'>
    readonly holds: LegalHolds
    readonly audit: AuditTrail
  },
  before: number,
  rooms: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const { context, media, holds, audit } = deps
  const { store, serverName } = context
  const pictures = await roomPictures(context, rooms, signal)
  const held = await store.read('retention.people', () => localPeopleOf([...holds.rooms]))
  const pace = createPace()
  let removed = 0
  for (let after = ''; !signal.aborted;) {
    const from = after
    const rows = await store.read('retention.media', () => localMediaAfter(serverName, from, PAGE))
    const old = rows.filter(
      ({ created_ts: ts, user_id: user }) =>
        ts < before && (user === null || !(holds.users.has(user) || held.has(user))),
    )
    const uris = old.map((row) => mxcUri(serverName, row.media_id))
    const inUse = await store.read('retention.pictures', () => profilePictures(uris))
    for (const { media_id: id } of old) {
      const uri = mxcUri(serverName, id)
      if (inUse.has(uri) || pictures.has(uri)) continue
      if (await media.remove(serverName, id)) removed++
      await pace()
    }
    if (rows.length < PAGE) break
    after = rows.at(-1)!.media_id
  }
  if (removed > 0) await audit.note({ act: 'data.purged', by: SERVER, details: { media: removed, before } })
  await media.evictRemoteBefore(before)
  return removed
}

/** The pictures that rooms have now. */
async function roomPictures(
  context: RoomsContext,
  rooms: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const found = new Set<string>()
  const pace = createPace()
  for (const roomId of rooms) {
    if (signal.aborted) break
    await pace()
    const room = await context.loader.load(roomId)
    const picture = room === undefined ? undefined : await readStateEvent(context, room, 'm.room.avatar', '')
    const url = picture?.event.content['url']
    if (typeof url === 'string') found.add(url)
  }
  return found
}
