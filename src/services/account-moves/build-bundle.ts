import { BACKUP_SECRET, backupKeyIds, travels } from '../../core/account-move/moving-data.js'
import type { JsonObject } from '../../core/json/value.js'
import { accountData, DELETED } from '../../storage/tables/account-data.js'
import { accountDataPage, type AccountMoveRow } from '../../storage/tables/account-moves.js'
import { backupSessionsAfter, currentBackup } from '../../storage/tables/key-backup.js'
import { joinedRoomIds } from '../../storage/tables/memberships.js'
import { profileOf } from '../../storage/tables/profiles.js'
import { sessionJson } from '../e2ee/backup-sessions.js'
import { FIRST_DATA, FIRST_KEYS, headJson, MAX_ENTRIES, placeJson, type BundlePlace } from './bundle-part.js'
import type { AccountMovesDeps } from './move-context.js'
import { planRoom } from './room-plan.js'

/** Keys of the backup in one part. */
const KEYS = 200
/** Of the entries or keys of a part, as JSON; a part with one of them may be larger. */
const PART_BYTES = 256 * 1024
/** A person in more rooms than this goes through the rest by hand. */
export const MAX_ROOMS = 5_000

type Deps = Pick<AccountMovesDeps, 'store' | 'context'>

/** As many of the first as fit in a part, and at least one. */
function fitting<T>(items: readonly T[], sizeOf: (item: T) => number): readonly T[] {
  let bytes = 0
  const end = items.findIndex((item, index) => {
    bytes += sizeOf(item)
    return index > 0 && bytes > PART_BYTES
  })
  return end === -1 ? items : items.slice(0, end)
}

/** What goes along of the secret storage, for a key backup that there is. */
async function keyIdsOf({ store }: Deps, userId: string): Promise<readonly string[]> {
  return await store.read('accountMoves.secrets', function* () {
    if ((yield* currentBackup(userId)) === undefined) return []
    const text = yield* accountData(userId, '', BACKUP_SECRET)
    return backupKeyIds(text === undefined ? undefined : (JSON.parse(text) as JsonObject))
  })
}

/** The rooms of the old account, by id, with how the new one comes into each. Takes about 1 ms for a room. */
async function roomsOf(deps: Deps, { old_user: oldUser, new_user: newUser }: AccountMoveRow) {
  const roomIds = await deps.store.read('accountMoves.rooms', () => joinedRoomIds(oldUser))
  const rooms: { roomId: string; entrance: string }[] = []
  for (const roomId of roomIds.slice(0, MAX_ROOMS)) {
    const plan = await planRoom(deps.context, roomId, oldUser, newUser)
    if (plan !== undefined) rooms.push({ roomId, entrance: plan.entrance })
  }
  return rooms
}

/** One part of what the old account takes along, as it is now; `place` undefined: the first. The nonce binds it to its move. */
export async function bundlePart(
  deps: Deps,
  move: AccountMoveRow,
  place: BundlePlace | undefined,
): Promise<JsonObject> {
  const { store } = deps
  const userId = move.old_user
  const nonce = move.nonce!
  if (place === undefined) {
    const { backup, fields, rules } = await store.read('accountMoves.head', function* () {
      return {
        backup: yield* currentBackup(userId),
        fields: yield* profileOf(userId),
        rules: yield* accountData(userId, '', 'm.push_rules'),
      }
    })
    const head = headJson({
      profile: Object.fromEntries(fields.map(({ field, value }) => [field, JSON.parse(value) as JsonObject])),
      pushRules: rules === undefined || rules === DELETED ? undefined : (JSON.parse(rules) as JsonObject),
      rooms: await roomsOf(deps, move),
      backup:
        backup === undefined
          ? undefined
          : {
              algorithm: backup.algorithm,
              authData: JSON.parse(backup.auth_data) as JsonObject,
              keyIds: await keyIdsOf(deps, userId),
            },
    })
    return { nonce, head, next: placeJson(FIRST_DATA) }
  }
  if (place.at === 'data') {
    const keyIds = await keyIdsOf(deps, userId)
    const page = await store.read('accountMoves.data', () =>
      accountDataPage(userId, { roomId: place.room, type: place.type }, MAX_ENTRIES),
    )
    const part = fitting(page, ({ content }) => content.length)
    const data = part
      .filter(({ content }) => content !== DELETED)
      .map(({ room_id: room, type, content }) => ({ room, type, content: JSON.parse(content) as JsonObject }))
      .filter(({ type, content }) => travels(type, content, keyIds))
    const last = part.at(-1)
    const isAll = last === undefined || (part.length === page.length && page.length < MAX_ENTRIES)
    return {
      nonce,
      data,
      next: placeJson(isAll ? FIRST_KEYS : { at: 'data', room: last.room_id, type: last.type }),
    }
  }
  const page = await store.read('accountMoves.keys', function* () {
    const backup = yield* currentBackup(userId)
    if (backup === undefined) return []
    const after = { roomId: place.room, sessionId: place.session }
    return yield* backupSessionsAfter(userId, backup.version, after, false, KEYS)
  })
  const part = fitting(page, ({ session_data: data }) => data.length)
  const rooms = new Map<string, Map<string, JsonObject>>()
  for (const row of part) {
    const sessions = rooms.get(row.room_id) ?? new Map<string, JsonObject>()
    rooms.set(row.room_id, sessions.set(row.session_id, JSON.parse(sessionJson(row)) as JsonObject))
  }
  const keys = Object.fromEntries(
    [...rooms].map(([roomId, sessions]) => [roomId, { sessions: Object.fromEntries(sessions) }]),
  )
  const last = part.at(-1)
  const isAll = last === undefined || (part.length === page.length && page.length < KEYS)
  return {
    nonce,
    keys,
    next: isAll ? null : placeJson({ at: 'keys', room: last.room_id, session: last.session_id }),
  }
}
