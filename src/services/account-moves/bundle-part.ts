import { isRoomId } from '../../core/ids/room-id.js'
import { isObject, ownValue, type Json, type JsonObject } from '../../core/json/value.js'

/** Where a bundle is read on: in the account data, or in the keys of the backup, after what was read last. The head has no place: it comes first. */
export type BundlePlace =
  | { readonly at: 'data'; readonly room: string; readonly type: string }
  | { readonly at: 'keys'; readonly room: string; readonly session: string }

export const FIRST_DATA: BundlePlace = { at: 'data', room: '', type: '' }
export const FIRST_KEYS: BundlePlace = { at: 'keys', room: '', session: '' }

const MAX_TEXT = 1_000

/** Undefined for what is no place. */
export function readPlace(value: Json | undefined): BundlePlace | undefined {
  if (!isObject(value)) return undefined
  const text = (name: string): string | undefined => {
    const found = ownValue(value, name)
    return typeof found === 'string' && found.length <= MAX_TEXT && !found.includes('\0') ? found : undefined
  }
  const [at, room, type, session] = [text('at'), text('room'), text('type'), text('session')]
  if (room === undefined) return undefined
  if (at === 'data' && type !== undefined) return { at, room, type }
  if (at === 'keys' && session !== undefined) return { at, room, session }
  return undefined
}

export const placeJson = (place: BundlePlace): JsonObject => ({ ...place })

/** One entry of account data; the empty string for a room: of none. */
export interface DataEntry {
  readonly room: string
  readonly type: string
  readonly content: JsonObject
}

/** The key backup that goes along; its keys come in parts. */
export interface BundleBackup {
  readonly algorithm: string
  readonly authData: JsonObject
  /** Of the secret storage: with these the secret of the backup is encrypted. */
  readonly keyIds: readonly string[]
}

export interface BundleHead {
  readonly profile: JsonObject
  /** The content of `m.push_rules`, as far as the person changed it. */
  readonly pushRules: JsonObject | undefined
  readonly rooms: readonly { readonly roomId: string; readonly entrance: string }[]
  readonly backup: BundleBackup | undefined
}

const MAX_ROOMS = 5_000
const MAX_KEY_IDS = 20

export const headJson = ({ profile, pushRules, rooms, backup }: BundleHead): JsonObject => ({
  profile,
  ...(pushRules === undefined ? {} : { push_rules: pushRules }),
  rooms: rooms.map(({ roomId, entrance }) => ({ room_id: roomId, entrance })),
  ...(backup === undefined
    ? {}
    : {
        backup: { algorithm: backup.algorithm, auth_data: backup.authData, key_ids: [...backup.keyIds] },
      }),
})

/** What a head says, as far as it can be read: another server wrote it. Undefined for what is none. */
export function readHead(value: Json | undefined): BundleHead | undefined {
  if (!isObject(value)) return undefined
  const [profile, rules, rooms, backup] = ['profile', 'push_rules', 'rooms', 'backup'].map((name) =>
    ownValue(value, name),
  )
  if (!isObject(profile) || !Array.isArray(rooms)) return undefined
  return {
    profile,
    pushRules: isObject(rules) ? rules : undefined,
    rooms: (rooms as readonly Json[]).slice(0, MAX_ROOMS).flatMap((item) => {
      const roomId = isObject(item) ? ownValue(item, 'room_id') : undefined
      const entrance = isObject(item) ? ownValue(item, 'entrance') : undefined
      return typeof roomId === 'string' && isRoomId(roomId)
        ? [{ roomId, entrance: typeof entrance === 'string' ? entrance.slice(0, 20) : '' }]
        : []
    }),
    backup: isObject(backup) ? readBackup(backup) : undefined,
  }
}

function readBackup(value: JsonObject): BundleBackup | undefined {
  const [algorithm, authData, keyIds] = ['algorithm', 'auth_data', 'key_ids'].map((name) =>
    ownValue(value, name),
  )
  if (typeof algorithm !== 'string' || !isObject(authData)) return undefined
  const ids = Array.isArray(keyIds) ? (keyIds as readonly Json[]) : []
  return {
    algorithm,
    authData,
    keyIds: ids.filter((id): id is string => typeof id === 'string').slice(0, MAX_KEY_IDS),
  }
}

/** Entries that can be stored; what is none is left out. */
export function readEntries(value: Json | undefined): readonly DataEntry[] {
  if (!Array.isArray(value)) return []
  return (value as readonly Json[]).slice(0, MAX_ENTRIES).flatMap((item) => {
    if (!isObject(item)) return []
    const [room, type, content] = ['room', 'type', 'content'].map((name) => ownValue(item, name))
    if (typeof room !== 'string' || (room !== '' && !isRoomId(room))) return []
    if (typeof type !== 'string' || type === '' || Buffer.byteLength(type) > 255 || type.includes('\0'))
      return []
    return isObject(content) ? [{ room, type, content }] : []
  })
}

/** Of one part: each entry takes several queries in the transaction that stores it. */
export const MAX_ENTRIES = 20
