import { invalidParam } from '../../../core/errors.js'
import { isLegalText } from '../../../core/ids/common.js'
import { stateRequestOfFields, stateRequestOfPairs, type StateRequest } from './required-state.js'

/** A request as clients write it, in either form of the proposal; checked for its types and sizes already. */
export interface SlidingBody {
  readonly conn_id?: string | null
  readonly pos?: string | null
  readonly timeout?: number | null
  readonly lists?: Readonly<Record<string, WireList>> | null
  readonly room_subscriptions?: Readonly<Record<string, WireRoomConfig>> | null
  readonly extensions?: WireExtensions | null
}

interface WirePattern {
  readonly type?: string | null
  readonly state_key?: string | null
}

export interface WireRoomConfig {
  readonly timeline_limit?: number | null
  readonly required_state?:
    | readonly (readonly [string, string])[]
    | {
        readonly include?: readonly WirePattern[] | null
        readonly exclude?: readonly WirePattern[] | null
        readonly lazy_members?: boolean | null
      }
    | null
}

export interface WireList extends WireRoomConfig {
  readonly ranges?: readonly (readonly [number, number])[] | null
  readonly range?: readonly [number, number] | null
  readonly slow_get_all_rooms?: boolean | null
  readonly filters?: WireFilters | null
}

export interface WireFilters {
  readonly is_dm?: boolean | null
  readonly spaces?: readonly string[] | null
  readonly is_encrypted?: boolean | null
  readonly is_invite?: boolean | null
  readonly is_invited?: boolean | null
  readonly room_types?: readonly (string | null)[] | null
  readonly not_room_types?: readonly (string | null)[] | null
  readonly room_name_like?: string | null
  readonly tags?: readonly string[] | null
  readonly not_tags?: readonly string[] | null
}

interface WireScope {
  readonly enabled?: boolean | null
  readonly lists?: readonly string[] | null
  readonly rooms?: readonly string[] | null
}

export interface WireExtensions {
  readonly to_device?: {
    readonly enabled?: boolean | null
    readonly limit?: number | null
    readonly since?: string | null
  } | null
  readonly e2ee?: { readonly enabled?: boolean | null } | null
  readonly account_data?: WireScope | null
  readonly receipts?: WireScope | null
  readonly typing?: WireScope | null
  readonly 'io.element.msc4308.thread_subscriptions'?: {
    readonly enabled?: boolean | null
    readonly limit?: number | null
  } | null
  readonly 'org.matrix.msc4354.sticky_events'?: {
    readonly enabled?: boolean | null
    readonly limit?: number | null
    readonly since?: string | null
  } | null
  readonly 'org.matrix.msc4262.profiles'?: (WireScope & { readonly fields?: readonly string[] | null }) | null
}

export interface RoomConfig {
  /** Events at most; 0 for none. */
  readonly timelineLimit: number
  readonly state: StateRequest
}

export interface RoomFilters {
  readonly isDm: boolean | undefined
  readonly spaces: readonly string[] | undefined
  readonly isEncrypted: boolean | undefined
  readonly isInvite: boolean | undefined
  readonly roomTypes: ReadonlySet<string | null> | undefined
  readonly notRoomTypes: ReadonlySet<string | null> | undefined
  readonly nameLike: string | undefined
  readonly tags: ReadonlySet<string> | undefined
  readonly notTags: ReadonlySet<string> | undefined
}

export interface SlidingList extends RoomConfig {
  /** Both ends belong to a range; undefined: every room that the filters let through. */
  readonly ranges: readonly (readonly [number, number])[] | undefined
  readonly filters: RoomFilters
  /** The same text for the same filters. */
  readonly filterId: string
}

/** Of which rooms an extension tells: those of lists and of subscriptions; `*` for all of either. */
export interface ExtensionScope {
  readonly lists: ReadonlySet<string>
  readonly rooms: ReadonlySet<string>
}

export interface SlidingRequest {
  readonly connId: string
  readonly pos: string | undefined
  readonly timeoutMs: number
  readonly lists: ReadonlyMap<string, SlidingList>
  readonly subscriptions: ReadonlyMap<string, RoomConfig>
  readonly toDevice: { readonly limit: number; readonly since: string | undefined } | undefined
  readonly e2ee: boolean
  readonly accountData: ExtensionScope | undefined
  readonly receipts: ExtensionScope | undefined
  readonly typing: ExtensionScope | undefined
  readonly threads: { readonly limit: number } | undefined
  readonly sticky: { readonly limit: number; readonly since: string | undefined } | undefined
  /** `fields`: in a set order, each once; undefined for all. */
  readonly profiles:
    { readonly scope: ExtensionScope; readonly fields: readonly string[] | undefined } | undefined
  /** The same text for requests that ask for the same, whatever their `pos` and `timeout`. */
  readonly id: string
}

/** SPEC: MSC4186: the server may cap the number. */
const MAX_TIMELINE = 100
const MAX_TO_DEVICE = 100
const MAX_THREADS = 100
const MAX_STICKY = 100

function roomConfig(wire: WireRoomConfig, userId: string): RoomConfig {
  const state = wire.required_state ?? []
  return {
    timelineLimit: Math.min(wire.timeline_limit ?? 0, MAX_TIMELINE),
    state: isPairs(state)
      ? stateRequestOfPairs(state, userId)
      : stateRequestOfFields(
          {
            include: (state.include ?? []).map(pattern),
            exclude: (state.exclude ?? []).map(pattern),
            lazyMembers: state.lazy_members ?? false,
          },
          userId,
        ),
  }
}

const isPairs = (
  state: NonNullable<WireRoomConfig['required_state']>,
): state is readonly (readonly [string, string])[] => Array.isArray(state)

const pattern = (wire: WirePattern): { type?: string; stateKey?: string } => ({
  ...(typeof wire.type === 'string' ? { type: wire.type } : {}),
  ...(typeof wire.state_key === 'string' ? { stateKey: wire.state_key } : {}),
})

const setOf = <T>(list: readonly T[] | null | undefined): ReadonlySet<T> | undefined =>
  list === null || list === undefined ? undefined : new Set(list)

function filtersOf(wire: WireFilters): RoomFilters {
  return {
    isDm: wire.is_dm ?? undefined,
    spaces: wire.spaces ?? undefined,
    isEncrypted: wire.is_encrypted ?? undefined,
    isInvite: wire.is_invited ?? wire.is_invite ?? undefined,
    roomTypes: setOf(wire.room_types),
    notRoomTypes: setOf(wire.not_room_types),
    nameLike: wire.room_name_like?.toLowerCase(),
    tags: setOf(wire.tags),
    notTags: setOf(wire.not_tags),
  }
}

/** The same places, each in one range: however a client cuts it up, a room is looked at once for each list. */
function merged(ranges: readonly (readonly [number, number])[]): readonly (readonly [number, number])[] {
  const out: [number, number][] = []
  for (const [first, last] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const before = out.at(-1)
    if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last)
    else out.push([first, last])
  }
  return out
}

function listOf(name: string, wire: WireList, userId: string): SlidingList {
  const ranges = wire.ranges ?? (wire.range === null || wire.range === undefined ? undefined : [wire.range])
  for (const [first, last] of ranges ?? [])
    if (first > last) throw invalidParam(`A range of the list ${name} ends before it begins`)
  const filters = wire.filters ?? {}
  return {
    ...roomConfig(wire, userId),
    ranges: wire.slow_get_all_rooms === true || ranges === undefined ? undefined : merged(ranges),
    filters: filtersOf(filters),
    filterId: JSON.stringify(filters),
  }
}

/** How many at once: as many as are asked for, at least one. */
const portion = (limit: number | null | undefined, max: number): number =>
  Math.min(Math.max(limit ?? max, 1), max)

function scopeOf(wire: WireScope | null | undefined): ExtensionScope | undefined {
  if (wire?.enabled !== true) return undefined
  return { lists: new Set(wire.lists ?? ['*']), rooms: new Set(wire.rooms ?? ['*']) }
}

function profilesOf(wire: WireExtensions['org.matrix.msc4262.profiles']): SlidingRequest['profiles'] {
  const scope = scopeOf(wire)
  if (scope === undefined) return undefined
  const fields = wire?.fields ?? undefined
  return { scope, fields: fields === undefined ? undefined : [...new Set(fields)].toSorted() }
}

/** Whether a name or a value anywhere in it could not be looked up: no database keeps a NUL character. */
const holdsIllegalText = (value: unknown): boolean =>
  typeof value === 'string'
    ? !isLegalText(value)
    : typeof value === 'object' &&
      value !== null &&
      Object.entries(value).some(([name, member]) => !isLegalText(name) || holdsIllegalText(member))

/**
 * What a client asks for. `query` has what the older form of the proposal puts there. Throws M_INVALID_PARAM.
 * SPEC: https://github.com/matrix-org/matrix-spec-proposals/blob/main/proposals/4186-simplified-sliding-sync.md#request-body
 */
export function slidingRequest(
  body: SlidingBody,
  query: { readonly pos?: string | undefined; readonly timeout?: number | undefined },
  userId: string,
): SlidingRequest {
  const extensions = body.extensions ?? {}
  const {
    to_device: toDevice,
    'io.element.msc4308.thread_subscriptions': threads,
    'org.matrix.msc4354.sticky_events': sticky,
  } = extensions
  const pos = query.pos ?? body.pos ?? undefined
  const { pos: _pos, timeout: _timeout, ...asked } = body
  if (holdsIllegalText(asked)) throw invalidParam('The request holds a NUL character, or half a character')
  return {
    connId: body.conn_id ?? '',
    pos: pos === '' ? undefined : pos,
    timeoutMs: query.timeout ?? body.timeout ?? 0,
    lists: new Map(
      Object.entries(body.lists ?? {}).map(([name, wire]) => [name, listOf(name, wire, userId)]),
    ),
    subscriptions: new Map(
      Object.entries(body.room_subscriptions ?? {}).map(([roomId, wire]) => [
        roomId,
        roomConfig(wire, userId),
      ]),
    ),
    toDevice:
      toDevice?.enabled === true
        ? {
            limit: Math.min(toDevice.limit ?? MAX_TO_DEVICE, MAX_TO_DEVICE),
            since: toDevice.since ?? undefined,
          }
        : undefined,
    e2ee: extensions.e2ee?.enabled === true,
    accountData: scopeOf(extensions.account_data),
    receipts: scopeOf(extensions.receipts),
    typing: scopeOf(extensions.typing),
    threads: threads?.enabled === true ? { limit: portion(threads.limit, MAX_THREADS) } : undefined,
    sticky:
      sticky?.enabled === true
        ? {
            limit: portion(sticky.limit, MAX_STICKY),
            since: sticky.since ?? undefined,
          }
        : undefined,
    profiles: profilesOf(extensions['org.matrix.msc4262.profiles']),
    id: JSON.stringify(asked),
  }
}
