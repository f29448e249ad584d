import { MatrixError, badJson } from '../../core/errors.js'
import { fitsId, isLegalText, utf8Length } from '../../core/ids/common.js'
import { isObject, ownValue, type Json, type JsonObject } from '../../core/json/value.js'
import type { BackupSessionRow } from '../../storage/tables/key-backup.js'

export interface KeyBackupLimits {
  /** Sessions in one backup. */
  readonly sessions: number
  readonly sessionsPerRequest: number
  /** Bytes of one session's data, and of a version's `auth_data`. */
  readonly sessionBytes: number
  readonly authDataBytes: number
  /** Backups of one user that are not deleted. */
  readonly versions: number
}

/** Which sessions of a backup: all, those of a room, or one. */
export interface BackupScope {
  readonly roomId?: string
  readonly sessionId?: string
}

const isCount = (value: Json | undefined): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0

function readSession(
  roomId: string,
  sessionId: string,
  value: Json | undefined,
  maxBytes: number,
): BackupSessionRow {
  if (
    !fitsId(roomId) ||
    !isLegalText(roomId) ||
    !fitsId(sessionId) ||
    !isLegalText(sessionId) ||
    roomId === ''
  )
    throw badJson('The id of a room or session is too long or not legal')
  if (!isObject(value)) throw badJson(`The session ${sessionId} is not an object`)
  const firstIndex = ownValue(value, 'first_message_index')
  const forwarded = ownValue(value, 'forwarded_count')
  const verified = ownValue(value, 'is_verified')
  const data = ownValue(value, 'session_data')
  if (!isCount(firstIndex) || !isCount(forwarded)) throw badJson('first_message_index and forwarded_count must be integers from 0') // prettier-ignore
  if (typeof verified !== 'boolean') throw badJson('is_verified must be a boolean')
  if (!isObject(data)) throw badJson('session_data must be an object')
  const json = JSON.stringify(data)
  if (utf8Length(json) > maxBytes)
    throw new MatrixError('M_TOO_LARGE', `session_data is larger than ${maxBytes} bytes`)
  return {
    room_id: roomId,
    session_id: sessionId,
    first_message_index: firstIndex,
    forwarded_count: forwarded,
    is_verified: verified ? 1 : 0,
    session_data: json,
  }
}

/** Reads a request's sessions, as its scope says. Throws M_BAD_JSON, M_TOO_LARGE. */
export function readSessions(
  scope: BackupScope,
  body: JsonObject,
  bounds: KeyBackupLimits,
): BackupSessionRow[] {
  const { roomId, sessionId } = scope
  if (roomId !== undefined && sessionId !== undefined)
    return [readSession(roomId, sessionId, body, bounds.sessionBytes)]
  const found: BackupSessionRow[] = []
  const addRoom = (room: string, value: Json | undefined): void => {
    const sessions = isObject(value) ? ownValue(value, 'sessions') : undefined
    if (!isObject(sessions)) throw badJson('sessions must be an object')
    for (const id of Object.keys(sessions)) {
      found.push(readSession(room, id, sessions[id], bounds.sessionBytes))
      if (found.length > bounds.sessionsPerRequest)
        throw new MatrixError('M_TOO_LARGE', `At most ${bounds.sessionsPerRequest} sessions in one request`)
    }
  }
  if (roomId !== undefined) {
    addRoom(roomId, body)
    return found
  }
  const rooms = ownValue(body, 'rooms')
  if (!isObject(rooms)) throw badJson('rooms must be an object')
  for (const room of Object.keys(rooms)) addRoom(room, rooms[room])
  return found
}

/** A session as answers have it. */
export const sessionJson = (row: BackupSessionRow): string =>
  `{"first_message_index":${row.first_message_index},"forwarded_count":${row.forwarded_count},` +
  `"is_verified":${row.is_verified === 1},"session_data":${row.session_data}}`
