import type { EventFilter } from '../../core/event-filter.js'
import { hasPhrases, rankOf } from '../../core/search/rank.js'
import type { SearchKey } from '../../core/search/search-text.js'
import type { SearchTerms } from '../../core/search/words.js'
import { createPace } from '../../platform/pace.js'
import { ownMemberships } from '../../storage/tables/memberships.js'
import {
  findSearchDocs,
  type SearchDocRow,
  type SearchDocs,
  type SearchQuery,
} from '../../storage/tables/search.js'
import { MatrixError } from '../../core/errors.js'
import { readStateEvent, type RoomsContext } from '../rooms/context.js'
import type { StoredEvent } from '../rooms/stored-event.js'
import type { Viewer } from '../timeline/client-view.js'
import { isPast } from '../timeline/places.js'
import { accessOf, type Access } from '../timeline/room-access.js'
import { keyedWords, plainWords, roomWord } from './index-words.js'
import type { SearchGroup } from './search-token.js'

/** An event that has what is asked for, and that the user may see. */
export interface Match {
  readonly event: StoredEvent
  readonly access: Access
  readonly doc: number
  readonly rank: number
}

/** Part of all results: those of a part of the index. */
export interface Found {
  /** The latest first. */
  readonly matches: readonly Match[]
  /** Where this part begins, so that what comes meanwhile does not shift it. */
  readonly top: number
  /** Where the next part begins; undefined when there is none. */
  readonly below: number | undefined
}

export interface FindInput {
  readonly terms: SearchTerms
  readonly keys: readonly SearchKey[]
  readonly filter: EventFilter
  readonly group: SearchGroup | undefined
  /** Results of one part. */
  readonly size: number
}

export interface Finder {
  /** The part that begins below an entry and ends before another, or where it has enough. */
  part(below: number, until: number | undefined): Promise<Found>
}

/** Rooms that are asked for by their own words; among more, each entry is looked at. */
const MAX_ROOM_WORDS = 64
const PAGE = 300
/** Pages of the index read for one part, however few of their entries the user may see. */
const MAX_PAGES = 20

/**
 * Goes through the index for one request of one user. Rooms that they have left count up to their leaving; encrypted rooms and those
 * forgotten do not.
 */
export async function openFinder(
  context: RoomsContext,
  viewer: Viewer,
  { terms, keys, filter, group, size }: FindInput,
): Promise<Finder> {
  const { store } = context
  const own = await store.read('search.rooms', () => ownMemberships(viewer.userId, ['join', 'leave', 'ban']))
  const isAsked = (roomId: string): boolean =>
    filter.admitsRoom(roomId) && (group?.key !== 'room_id' || group.value === roomId)
  const rooms = own.filter((row) => isAsked(row.room_id))
  const idOf = new Map(rooms.map((row) => [row.room_nid, row.room_id]))
  const nids = [...idOf.keys()]
  const few = nids.length <= MAX_ROOM_WORDS
  const words = [
    ...terms.words.map((word) => keyedWords(word, keys)),
    ...(few ? [nids.map((nid) => roomWord(nid))] : []),
  ]
  const accesses = new Map<number, Promise<Access | undefined>>()

  /** Undefined for rooms that the user may not read, and for encrypted ones. */
  async function openRoom(nid: number): Promise<Access | undefined> {
    try {
      const access = await accessOf(context, viewer, idOf.get(nid)!)
      const encryption = await readStateEvent(context, access.room, 'm.room.encryption', '', access.root)
      return encryption === undefined ? access : undefined
    } catch (error) {
      // A room that another server's state makes unreadable hides no other.
      if (error instanceof MatrixError) return undefined
      throw error
    }
  }

  function accessTo(nid: number): Promise<Access | undefined> {
    let access = accesses.get(nid)
    if (access === undefined) {
      access = openRoom(nid)
      accesses.set(nid, access)
    }
    return access
  }

  async function isShown(event: StoredEvent, { reader, end, ignored }: Access): Promise<boolean> {
    const { sender, stateKey } = event.event
    if (event.redactedBy !== undefined || event.ord === undefined) return false
    if (group?.key === 'sender' && group.value !== sender) return false
    if (stateKey === undefined && ignored.has(sender)) return false
    if (!filter.admits(event.event)) return false
    if (end !== undefined && isPast(event, end, 'f')) return false
    return reader.mayRead(event)
  }

  async function matchesOf(rows: readonly SearchDocRow[]): Promise<Match[]> {
    const matches: Match[] = []
    const wanted: { row: SearchDocRow; words: string[]; access: Access }[] = []
    const pace = createPace()
    for (const row of rows) {
      await pace()
      const plain = plainWords(row.words)
      if (!hasPhrases(plain, terms) || !idOf.has(row.room_nid)) continue
      const access = await accessTo(row.room_nid)
      if (access !== undefined) wanted.push({ row, words: plain, access })
    }
    const events = await context.events.byNids(wanted.map(({ row }) => row.nid))
    for (const { row, words: plain, access } of wanted) {
      await pace()
      const event = events.get(row.nid)
      if (event === undefined || !(await isShown(event, access))) continue
      matches.push({ event, access, doc: row.doc, rank: rankOf(plain, terms) })
    }
    return matches
  }

  return {
    async part(from, until = -Infinity) {
      const matches: Match[] = []
      let top = from
      let below: number | undefined = from
      if (nids.length === 0 || terms.words.length === 0) return { matches, top, below: undefined }
      for (let page = 0; page < MAX_PAGES && below !== undefined; page++) {
        const query: SearchQuery = { words, rooms: few ? undefined : nids, below, limit: PAGE }
        const found: SearchDocs = await store.read('search.find', () => findSearchDocs(store.dialect, query))
        if (page === 0) top = Math.min(from, (found.rows[0]?.doc ?? from) + 1)
        const rows = found.rows.filter((row) => row.doc >= until)
        matches.push(...(await matchesOf(rows)))
        below = found.below
        if (rows.length < found.rows.length || (below !== undefined && below <= until))
          return { matches, top, below: until }
        // Cut by results alone, wherever the pages of the index end.
        const last = matches[size - 1]
        if (last !== undefined && (matches.length > size || below !== undefined))
          return { matches: matches.slice(0, size), top, below: last.doc }
      }
      return { matches, top, below }
    },
  }
}
