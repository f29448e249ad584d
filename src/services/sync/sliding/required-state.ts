/** A pattern over state: undefined matches everything. */
export interface StatePattern {
  readonly type?: string
  readonly stateKey?: string
}

/**
 * Which state a client wants of a room: what `include` matches and `exclude` does not, what `always` matches in any case, and
 * with `lazyMembers` the members whom the timeline shows.
 * SPEC: https://github.com/matrix-org/matrix-spec-proposals/blob/main/proposals/4186-simplified-sliding-sync.md#requiredstaterequest
 */
export interface StateRequest {
  readonly include: readonly StatePattern[]
  readonly exclude: readonly StatePattern[]
  readonly always: readonly StatePattern[]
  readonly lazyMembers: boolean
}

const MEMBER = 'm.room.member'
const ME = '$ME'
const LAZY = '$LAZY'

/**
 * The older form of a request, a list of types with state keys. `*` stands for every type or key, `$ME` for the user, `$LAZY` for
 * the members of the timeline. Beside `["*", "*"]` the other entries narrow: of their types only the keys that they name are given.
 */
export function stateRequestOfPairs(
  pairs: readonly (readonly [string, string])[],
  userId: string,
): StateRequest {
  const lazyMembers = pairs.some(([type, key]) => type === MEMBER && key === LAZY)
  const patterns = pairs
    .filter(([type, key]) => !(type === MEMBER && key === LAZY))
    .map(([type, key]) => patternOf(type, key === ME ? userId : key))
  const isAll = (pattern: StatePattern): boolean =>
    pattern.type === undefined && pattern.stateKey === undefined
  if (!patterns.some(isAll)) return { include: patterns, exclude: [], always: [], lazyMembers }
  const always = patterns.filter((pattern) => !isAll(pattern))
  const types = new Set(always.flatMap((pattern) => pattern.type ?? []))
  if (lazyMembers) types.add(MEMBER)
  return { include: [{}], exclude: [...types].map((type) => ({ type })), always, lazyMembers }
}

const patternOf = (type: string, stateKey: string): StatePattern => ({
  ...(type === '*' ? {} : { type }),
  ...(stateKey === '*' ? {} : { stateKey }),
})

/** The newer form. All members are left out of what `include` matches by its type alone, where they are loaded lazily. */
export function stateRequestOfFields(
  fields: {
    readonly include: readonly StatePattern[]
    readonly exclude: readonly StatePattern[]
    readonly lazyMembers: boolean
  },
  userId: string,
): StateRequest {
  const named = (pattern: StatePattern): StatePattern =>
    pattern.stateKey === ME ? { ...pattern, stateKey: userId } : pattern
  const include = fields.include.map(named)
  const exclude = fields.exclude.map(named)
  if (!fields.lazyMembers) return { include, exclude, always: [], lazyMembers: false }
  const always = include.filter(
    ({ type, stateKey }) =>
      type === MEMBER && stateKey !== undefined && !exclude.some((out) => matches(out, MEMBER, stateKey)),
  )
  return { include, exclude: [...exclude, { type: MEMBER }], always, lazyMembers: true }
}

const matches = (pattern: StatePattern, type: string, stateKey: string): boolean =>
  (pattern.type === undefined || pattern.type === type) &&
  (pattern.stateKey === undefined || pattern.stateKey === stateKey)

const wantedBy = (request: StateRequest, type: string, stateKey: string): boolean =>
  request.always.some((pattern) => matches(pattern, type, stateKey)) ||
  (request.include.some((pattern) => matches(pattern, type, stateKey)) &&
    !request.exclude.some((pattern) => matches(pattern, type, stateKey)))

/** Whether the room has to be shown with all of its members. */
export const wantsAllMembers = (request: StateRequest): boolean => wantedBy(request, MEMBER, '*')

/** What several rules together ask of a room: the union of their state. */
export interface RequiredState {
  readonly requests: readonly StateRequest[]
  /** Members come as the timeline shows them, and not all at once by another rule. */
  readonly lazyMembers: boolean
  /** The same text for the same requests. */
  readonly id: string
  wants(type: string, stateKey: string): boolean
}

export function requiredState(requests: readonly StateRequest[]): RequiredState {
  const byId = new Map(requests.map((request) => [JSON.stringify(request), request]))
  const ids = [...byId.keys()].toSorted()
  const unique = ids.map((id) => byId.get(id)!)
  const anyMember = '\u0000'
  const wants = (type: string, stateKey: string): boolean =>
    unique.some((request) => wantedBy(request, type, stateKey))
  return {
    requests: unique,
    lazyMembers: unique.some((request) => request.lazyMembers) && !wants(MEMBER, anyMember),
    id: `[${ids.join(',')}]`,
    wants,
  }
}

/** Rebuilds it from its `id`. Pre: the text was made by `requiredState`. */
export const requiredStateFrom = (id: string): RequiredState =>
  requiredState(JSON.parse(id) as StateRequest[])

/** Keys that can be looked up one by one, and types of which all keys must be; `everything`: neither is enough. */
export interface StateLookup {
  readonly keys: readonly { readonly type: string; readonly stateKey: string }[]
  readonly types: readonly string[]
  readonly everything: boolean
}

/** Where to look for the state that is wanted: never less than it. */
export function lookupOf(required: RequiredState): StateLookup {
  const patterns = required.requests.flatMap((request) => [...request.include, ...request.always])
  return {
    keys: patterns.flatMap(({ type, stateKey }) =>
      type === undefined || stateKey === undefined ? [] : { type, stateKey },
    ),
    types: [
      ...new Set(
        patterns.flatMap(({ type, stateKey }) => (type !== undefined && stateKey === undefined ? type : [])),
      ),
    ],
    everything: patterns.some((pattern) => pattern.type === undefined),
  }
}
