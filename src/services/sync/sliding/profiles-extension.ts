import type { Json } from '../../../core/json/value.js'
import { memberDeltasInRoomsOf, sharingAmongMany } from '../../../storage/tables/device-list-changes.js'
import {
  localMembersOfAny,
  profileChangesBetween,
  profileChangesOf,
  profilesOf,
  type ProfileChange,
} from '../../../storage/tables/profile-changes.js'
import type { Store } from '../../../storage/tx.js'
import { isJoin } from '../../e2ee/device-list-stream.js'
import { EXTERNAL_FIELD } from '../../profile/profile.js'
import type { DeviceParts } from '../device-part.js'
import { UP_TO_DATE, type RoomState } from './connection-state.js'
import type { SlidingFrame } from './frame.js'
import type { NextState } from './next-state.js'
import { roomsOf, type ExtensionInput } from './room-extensions.js'

export const PROFILES_EXTENSION = 'org.matrix.msc4262.profiles'

/** Changed fields of everybody that one answer goes through. */
const MAX_CHANGES = 200
/** Users whose profiles an answer has because of rooms that are new to the client; it may read the others itself. */
const MAX_USERS = 1_000
/** Characters of profiles in one answer, by which it may be exceeded once. */
const MAX_CHARACTERS = 1_000_000
/** Profiles read in one query. */
const USERS_AT_ONCE = 50
const ROOMS_AT_ONCE = 50

interface Fields {
  readonly updated: Map<string, Json>
  readonly removed: Set<string>
}

/** By user; null: they share no room with the viewer any more. */
type Users = Map<string, Fields | null>

/**
 * Profiles of this server's users: those of users in rooms that are new to the client, and every change of those who share a room with the user, or are the user. Of
 * users of other servers nothing is known but what their member events say, which the client has.
 * NOTSPEC: https://github.com/matrix-org/matrix-spec-proposals/pull/4262
 */
export async function profilesPart(
  frame: SlidingFrame,
  next: NextState,
  input: ExtensionInput | undefined,
  deps: { readonly store: Store; readonly deviceParts: DeviceParts },
): Promise<{
  readonly json: Readonly<Record<string, Json>>
  readonly hasNews: boolean
  readonly complete: boolean
}> {
  const { request, state, from, upTo } = frame
  const before = state.meta.profiles
  if (request.profiles === undefined) {
    if (before?.at === UP_TO_DATE && from > 0) next.setMeta({ profiles: { ...before, at: from } })
    return { json: {}, hasNews: false, complete: true }
  }
  const { fields } = request.profiles
  // Who begins has the present profiles of the rooms that it is told of.
  const since = before === undefined ? upTo : before.at === UP_TO_DATE ? from : before.at
  const users: Users = new Map()
  const { end, joined } = await readChanges(frame, since, users, deps)
  const isWider = before !== undefined && before.fields !== null && hasMore(fields, before.fields)
  const asked = new Set(joined)
  const isWhole = input === undefined || (await chooseUsers(input, isWider, asked, deps.store))
  await readProfiles([...asked].slice(0, MAX_USERS), fields, users, deps.store)
  const at = end === upTo ? UP_TO_DATE : end
  const told = fields ?? null
  if (before?.at !== at || !isSame(before.fields, told)) next.setMeta({ profiles: { at, fields: told } })
  const complete = isWhole && at === UP_TO_DATE
  const json = { users: Object.fromEntries([...users].map(([id, one]) => [id, shown(one)])) }
  return {
    json: users.size === 0 ? {} : { [PROFILES_EXTENSION]: json },
    // Where there is more, the client comes again for it at once.
    hasNews: users.size > 0 || !complete,
    complete,
  }
}

const hasMore = (fields: readonly string[] | undefined, before: readonly string[]): boolean =>
  fields === undefined || fields.some((field) => !before.includes(field))

const isSame = (a: readonly string[] | null | undefined, b: readonly string[] | null): boolean =>
  a === b ||
  (Array.isArray(a) && b !== null && a.length === b.length && a.every((field, i) => field === b[i]))

const shown = (one: Fields | null): Json =>
  one === null
    ? null
    : {
        ...(one.updated.size === 0 ? {} : { updated: Object.fromEntries(one.updated) }),
        ...(one.removed.size === 0 ? {} : { removed: [...one.removed] }),
      }

function fieldsOf(users: Users, userId: string): Fields {
  const known = users.get(userId)
  if (known !== undefined && known !== null) return known
  const fields: Fields = { updated: new Map(), removed: new Set() }
  users.set(userId, fields)
  return fields
}

interface Changes {
  /** Up to where it goes: not all of it, where it is much. */
  readonly end: number
  /** Who has come into a room that the user is in. */
  readonly joined: readonly string[]
}

/** What changed after `since`. */
async function readChanges(
  { viewer, request, upTo }: SlidingFrame,
  since: number,
  users: Users,
  { store, deviceParts }: { readonly store: Store; readonly deviceParts: DeviceParts },
): Promise<Changes> {
  if (since >= upTo) return { end: upTo, joined: [] }
  const { userId, deviceId } = viewer
  const wanted = request.profiles?.fields
  const found = await store.read('sliding.profiles', function* () {
    const page = yield* profileChangesBetween(since, upTo, MAX_CHANGES)
    const end = page.length < MAX_CHANGES ? upTo : page.at(-1)!.pos
    const changed = [...new Set(page.map((row) => row.user_id))]
    const sharing = new Set(yield* sharingAmongMany(userId, changed))
    const mine = changed.filter((other) => other === userId || sharing.has(other))
    return { end, changes: yield* profileChangesOf(mine, since, end) }
  })
  const { changes, end } = bounded(found)
  // Whose devices the user need not know any more, they need not know at all.
  const { lists } = await deviceParts.read({
    userId,
    deviceId: deviceId ?? '',
    toDeviceFrom: undefined,
    listsFrom: since,
    upTo: end,
  })
  for (const other of lists.left) users.set(other, null)
  for (const { user_id: other, field, value } of changes) {
    if (field === EXTERNAL_FIELD || (wanted !== undefined && !wanted.includes(field))) continue
    const { updated, removed } = fieldsOf(users, other)
    if (value === null) removed.add(field)
    else updated.set(field, JSON.parse(value) as Json)
  }
  if (lists.changed.length === 0) return { end, joined: [] }
  const deltas = await store.read('sliding.profileJoins', () =>
    memberDeltasInRoomsOf(userId, since, end, MAX_USERS),
  )
  // Who has gone again is a stranger.
  const sharing = new Set(lists.changed)
  const joined = deltas.filter(
    (delta) => isJoin(delta.after) && !isJoin(delta.before) && sharing.has(delta.user_id),
  )
  return { end, joined: joined.map((delta) => delta.user_id) }
}

/** As many changes as fit into an answer, and up to where they go. */
function bounded({ changes, end }: { readonly changes: readonly ProfileChange[]; readonly end: number }): {
  readonly changes: readonly ProfileChange[]
  readonly end: number
} {
  let characters = 0
  const cut = changes.findIndex((change) => (characters += change.value?.length ?? 0) > MAX_CHARACTERS)
  if (cut === -1 || cut === changes.length - 1) return { changes, end }
  return { changes: changes.slice(0, cut + 1), end: changes[cut]!.pos }
}

/**
 * Adds those in rooms of which the client is told of them for the first time, or with fields that it did not ask for before: all users of this server in the
 * room, or those whom it loads lazily; and of the latter those who speak since. False where more rooms wait.
 */
async function chooseUsers(
  input: ExtensionInput,
  isWider: boolean,
  asked: Set<string>,
  store: Store,
): Promise<boolean> {
  const { frame, next } = input
  const { wanted, unfinished } = input.choice
  const { scope } = frame.request.profiles!
  // Those too that the client does not look at now.
  if (isWider) for (const nid of frame.state.rooms.keys()) next.setRoom(nid, { profilesTold: false })
  const candidates = isWider ? wanted.keys() : unfinished.profiles
  const whole: number[] = []
  let rest = false
  const mayHave = (told: RoomState, nid: number): boolean =>
    told.profilesTold !== true || input.results.has(nid)
  for (const { nid, told } of roomsOf(input, scope, [candidates], mayHave)) {
    const isNew = told.profilesTold !== true
    const isLazy = wanted.get(nid)!.required.lazyMembers
    if (isNew && (asked.size >= MAX_USERS || whole.length >= ROOMS_AT_ONCE)) {
      rest = true
      continue
    }
    if (isNew) next.setRoom(nid, { profilesTold: true })
    if (isLazy) for (const userId of lazyMembers(input, nid, told, isNew)) asked.add(userId)
    else if (isNew) whole.push(nid)
  }
  const members = await store.read('sliding.profileUsers', () => localMembersOfAny(whole, MAX_USERS))
  for (const userId of members) asked.add(userId)
  return !rest
}

async function readProfiles(
  userIds: readonly string[],
  fields: readonly string[] | undefined,
  users: Users,
  store: Store,
): Promise<void> {
  let characters = 0
  for (let i = 0; i < userIds.length && characters < MAX_CHARACTERS; i += USERS_AT_ONCE) {
    const part = userIds.slice(i, i + USERS_AT_ONCE)
    for (const { user_id: userId, field, value } of await store.read('sliding.profilesOf', () =>
      profilesOf(part, fields),
    )) {
      if (field === EXTERNAL_FIELD) continue
      const one = fieldsOf(users, userId)
      one.updated.set(field, JSON.parse(value) as Json)
      one.removed.delete(field)
      characters += value.length
    }
  }
}

/** Members whom the client has heard of because they spoke: all, or those whom it had not. */
function lazyMembers(
  { frame }: ExtensionInput,
  nid: number,
  told: RoomState,
  all: boolean,
): readonly string[] {
  if (all) return told.members
  const before = new Set(frame.state.rooms.get(nid)?.members)
  return told.members.filter((userId) => !before.has(userId))
}
