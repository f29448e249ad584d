import { appendTo } from '../../core/append-to.js'
import { compileEventFilter } from '../../core/event-filter.js'
import type { Json, JsonObject } from '../../core/json/value.js'
import { SEARCH_KEYS, searchText, type SearchKey } from '../../core/search/search-text.js'
import { foldWord, parseSearchTerm, surfaceWords } from '../../core/search/words.js'
import { readState, type RoomsContext } from '../rooms/context.js'
import type { Aggregations } from '../timeline/aggregations.js'
import type { ClientViews, Viewer } from '../timeline/client-view.js'
import type { History } from '../timeline/history.js'
import type { Access } from '../timeline/room-access.js'
import { openFinder, type Match } from './find.js'
import { createSearchIndexer, type SearchIndexer } from './indexer.js'
import { parseSearchToken, searchToken, type SearchGroup, type SearchPlace } from './search-token.js'

export interface SearchInput {
  readonly term: string
  /** Default: all. */
  readonly keys?: readonly SearchKey[] | undefined
  readonly filter?: Json
  readonly orderBy: 'rank' | 'recent'
  /** Undefined: without. */
  readonly context?:
    { readonly before: number; readonly after: number; readonly includeProfile: boolean } | undefined
  readonly includeState: boolean
  readonly groupBy: readonly SearchGroup['key'][]
  readonly nextBatch?: string | undefined
}

export interface Search {
  readonly indexer: SearchIndexer
  /**
   * The `room_events` of an answer. Throws M_INVALID_PARAM for a foreign token.
   * SPEC: https://spec.matrix.org/v1.19/client-server-api/#server-side-search
   */
  search(viewer: Viewer, input: SearchInput): Promise<JsonObject>
}

export interface SearchDeps {
  readonly context: RoomsContext
  readonly views: ClientViews
  readonly aggregations: Aggregations
  readonly history: Pick<History, 'around' | 'state'>
}

/**
 * Results that are ranked together, and counted. NOTSPEC: with more results than that the latest come first, ranked among
 * themselves, then those before them: the best of a million would cost a look at each.
 */
const PART = 300
const DEFAULT_LIMIT = 10
const MAX_LIMIT = 100
const MAX_CONTEXT = 20
const MAX_HIGHLIGHTS = 50
const MAX_HIGHLIGHT_WORDS = 3_000

export function createSearch(deps: SearchDeps): Search {
  const { context, views, history } = deps
  const indexer = createSearchIndexer(context.store)

  /** The words of the results that were asked for, as they are written there. */
  function highlightsOf(matches: readonly Match[], words: readonly string[]): string[] {
    const wanted = new Set(words)
    const surfaces = new Set<string>()
    for (const { event } of matches) {
      const text = searchText(event.event)?.text ?? ''
      for (const surface of surfaceWords(text, MAX_HIGHLIGHT_WORDS)) {
        if (surfaces.size >= MAX_HIGHLIGHTS) return [...surfaces]
        if (wanted.has(foldWord(surface))) surfaces.add(surface)
      }
    }
    return [...surfaces]
  }

  async function viewsOf(matches: readonly Match[], viewer: Viewer): Promise<Map<number, JsonObject>> {
    const byRoom = new Map<Access, Match[]>()
    for (const match of matches) {
      appendTo(byRoom, match.access, match)
    }
    const shown = new Map<number, JsonObject>()
    for (const [access, list] of byRoom) {
      const events = list.map(({ event }) => event)
      const relations = await deps.aggregations.of(events, viewer, access)
      const made = await views.view(events, viewer, { reader: access.reader, relations })
      for (const [index, event] of events.entries()) shown.set(event.nid, made[index]!)
    }
    return shown
  }

  async function profilesOf({ event, access }: Match, around: readonly JsonObject[]): Promise<JsonObject> {
    const senders = new Set([event.event.sender, ...around.map((item) => item['sender'] as string)])
    const keys = [...senders].map((stateKey) => ({ type: 'm.room.member', stateKey }))
    const members = await readState(context, access.room, keys, event.stateAfter)
    const profiles = new Map<string, Json>()
    for (const { event: member } of members.values()) {
      const { displayname, avatar_url: avatarUrl } = member.content
      profiles.set(member.stateKey!, {
        ...(typeof displayname === 'string' ? { displayname } : {}),
        ...(typeof avatarUrl === 'string' && avatarUrl.startsWith('mxc://') ? { avatar_url: avatarUrl } : {}),
      })
    }
    return Object.fromEntries(profiles)
  }

  async function contextOf(
    match: Match,
    viewer: Viewer,
    wanted: NonNullable<SearchInput['context']>,
  ): Promise<JsonObject> {
    const before = Math.min(wanted.before, MAX_CONTEXT)
    const after = Math.min(wanted.after, MAX_CONTEXT)
    const around = await history.around(viewer, match.access, match.event, { before, after })
    if (!wanted.includeProfile) return around
    const events = [...(around['events_before'] as JsonObject[]), ...(around['events_after'] as JsonObject[])]
    return { ...around, profile_info: await profilesOf(match, events) }
  }

  /** `shown`: how many of the ordered results were given so far, with those of this page at their end. */
  function groupsOf(
    { ordered, shown, count }: { ordered: readonly Match[]; shown: number; count: number },
    groupBy: readonly SearchGroup['key'][],
    part: { readonly top: number; readonly below: number | undefined },
  ): JsonObject {
    const groups: Record<string, Json> = {}
    for (const key of new Set(groupBy)) {
      const valueOf = ({ event: { event } }: Match): string =>
        key === 'sender' ? event.sender : event.roomId
      const page = ordered.slice(shown - count, shown)
      const values = [...new Set(page.map(valueOf))]
      const entries = values.map((value, order): [string, Json] => {
        const isMember = (match: Match): boolean => valueOf(match) === value
        const results = page.filter(isMember).map(({ event }) => event.event.id)
        const skip = ordered.slice(0, shown).filter(isMember).length
        const hasMore = ordered.slice(shown).some(isMember)
        const next: SearchPlace | undefined = hasMore
          ? { below: part.top, skip, until: part.below, group: { key, value } }
          : part.below === undefined
            ? undefined
            : { below: part.below, skip: 0, group: { key, value } }
        return [value, { results, order, ...(next === undefined ? {} : { next_batch: searchToken(next) }) }]
      })
      groups[key] = Object.fromEntries(entries)
    }
    return groups
  }

  return {
    indexer,
    async search(viewer, input) {
      const place: SearchPlace =
        input.nextBatch === undefined
          ? { below: Number.MAX_SAFE_INTEGER, skip: 0 }
          : parseSearchToken(input.nextBatch)
      const terms = parseSearchTerm(input.term)
      const filter = compileEventFilter(input.filter)
      const limit = Math.min(Math.max(1, filter.limit ?? DEFAULT_LIMIT), MAX_LIMIT)
      const finder = await openFinder(context, viewer, {
        terms,
        keys: input.keys ?? SEARCH_KEYS,
        filter,
        group: place.group,
        size: PART,
      })
      if (filter.nothing) return { count: 0, highlights: [], results: [] }
      // What was sent just now can be found.
      await indexer.follow()
      const part = await finder.part(place.below, place.until)
      const ordered = [...part.matches]
      if (input.orderBy === 'rank') ordered.sort((a, b) => b.rank - a.rank || b.doc - a.doc)
      const matches = ordered.slice(place.skip, place.skip + limit)
      const given = place.skip + matches.length
      const { group } = place
      const isOver = given >= ordered.length && part.below === undefined
      // Clients ask on until a page is empty; only that one leads nowhere.
      const next: SearchPlace | undefined =
        isOver && matches.length === 0
          ? undefined
          : given < ordered.length || part.below === undefined
            ? { below: part.top, skip: given, until: place.until, group }
            : { below: part.below, skip: 0, group }
      const shown = await viewsOf(matches, viewer)
      const results: JsonObject[] = []
      for (const match of matches) {
        const wanted = input.context
        results.push({
          rank: match.rank,
          result: shown.get(match.event.nid)!,
          ...(wanted === undefined ? {} : { context: await contextOf(match, viewer, wanted) }),
        })
      }
      const state = new Map<string, Json>()
      if (input.includeState)
        for (const roomId of new Set(matches.map(({ event }) => event.event.roomId)))
          state.set(roomId, await history.state(viewer, roomId))
      return {
        count: part.matches.length,
        highlights: highlightsOf(matches, terms.words),
        results,
        ...(input.includeState ? { state: Object.fromEntries(state) } : {}),
        ...(input.groupBy.length === 0
          ? {}
          : { groups: groupsOf({ ordered, shown: given, count: matches.length }, input.groupBy, part) }),
        ...(next === undefined ? {} : { next_batch: searchToken(next) }),
      }
    },
  }
}
