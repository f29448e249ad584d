import { SERVER, type Actor } from '../../core/audit/acts.js'
import { createPace } from '../../platform/pace.js'
import {
  localMediaAfter,
  localPeopleOf,
  profilePictures,
  type LocalMediumRow,
} from '../../storage/tables/retention.js'
import type { AuditTrail } from '../audit/trail.js'
import type { Media } from '../media/media.js'
import { mxcUri } from '../media/mxc.js'
import { readStateEvent, type RoomsContext } from '../rooms/context.js'
import type { LegalHolds } from './legal-holds.js'

const PAGE = 200

interface MediaDeps {
  readonly context: RoomsContext
  readonly media: Pick<Media, 'remove' | 'evictRemoteBefore'>
  readonly holds: LegalHolds
  readonly audit: AuditTrail
}

/** Which files of this server's users an administrator wants gone: those that fulfil all of it. */
export interface MediaWish {
  /** Milliseconds: what was used, or else uploaded, then and later stays. */
  readonly before: number
  /** Bytes: only what is larger. */
  readonly largerThan: number
  /** Pictures of people and rooms as they are now stay. */
  readonly keepPictures: boolean
  readonly by: Actor
}

/**
 * Deletes files that users of this server uploaded before a moment. Which message a file belongs to is not known where rooms are encrypted, so that age alone decides; kept are
 * pictures of people and rooms as they are now, and what was uploaded by whoever is under a hold, or is or was in a room that is. Gives how many.
 */
export async function purgeMedia(
  deps: MediaDeps,
  before: number,
  rooms: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const removed = await sweep(deps, (row) => row.created_ts < before, rooms, signal)
  await tell(deps, SERVER, removed.length, before)
  await deps.media.evictRemoteBefore(before)
  return removed.length
}

/** The same at the wish of an administrator: holds are kept to, copies of other servers' files stay. `rooms`: whose pictures are kept. Gives the ids. */
export async function deleteMedia(
  deps: MediaDeps,
  wish: MediaWish,
  rooms: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { before, largerThan, keepPictures } = wish
  const removed = await sweep(
    deps,
    (row) => Math.max(row.created_ts, row.last_access_ts) < before && row.size > largerThan,
    keepPictures ? rooms : undefined,
    signal,
  )
  await tell(deps, wish.by, removed.length, before)
  return removed
}

async function tell({ audit }: MediaDeps, by: Actor, media: number, before: number): Promise<void> {
  if (media > 0) await audit.note({ act: 'data.purged', by, details: { media, before } })
}

/** Goes through all files of this server's users. `rooms` undefined: pictures of people and rooms go as well. */
async function sweep(
  { context, media, holds }: MediaDeps,
  isDue: (row: LocalMediumRow) => boolean,
  rooms: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { store, serverName } = context
  const pictures = rooms === undefined ? undefined : await roomPictures(context, rooms, signal)
  const held = await store.read('retention.people', () => localPeopleOf([...holds.rooms]))
  const pace = createPace()
  const removed: string[] = []
  for (let after = ''; !signal.aborted;) {
    const from = after
    const rows = await store.read('retention.media', () => localMediaAfter(serverName, from, PAGE))
    const due = rows.filter(
      (row) =>
        isDue(row) && (row.user_id === null || !(holds.users.has(row.user_id) || held.has(row.user_id))),
    )
    const uris = pictures === undefined ? [] : due.map((row) => mxcUri(serverName, row.media_id))
    const inUse = await store.read('retention.pictures', () => profilePictures(uris))
    for (const { media_id: id } of due) {
      const uri = mxcUri(serverName, id)
      if (inUse.has(uri) || pictures?.has(uri) === true) continue
      if (await media.remove(serverName, id)) removed.push(id)
      await pace()
    }
    if (rows.length < PAGE) break
    after = rows.at(-1)!.media_id
  }
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
