import { all, manyChanges, one, run, runChanges, type Tx } from '../tx.js'

export interface BackupVersionRow {
  readonly user_id: string
  readonly version: number
  readonly algorithm: string
  /** JSON. */
  readonly auth_data: string
  readonly etag: number
  /** How many sessions it holds. */
  readonly sessions: number
  readonly deleted: number
}

export interface BackupSessionRow {
  readonly room_id: string
  readonly session_id: string
  readonly first_message_index: number
  readonly forwarded_count: number
  readonly is_verified: number
  /** JSON. */
  readonly session_data: string
}

/** The newest backup that is not deleted. */
export function* currentBackup(userId: string): Tx<BackupVersionRow | undefined> {
  return yield* one<BackupVersionRow>(
    'SELECT * FROM key_backup_versions WHERE user_id = ? AND deleted = 0 ORDER BY version DESC LIMIT 1',
    userId,
  )
}

export function* backupByVersion(userId: string, version: number): Tx<BackupVersionRow | undefined> {
  return yield* one<BackupVersionRow>(
    'SELECT * FROM key_backup_versions WHERE user_id = ? AND version = ? AND deleted = 0',
    userId,
    version,
  )
}

export function* backupVersions(userId: string): Tx<{ readonly live: number; readonly newest: number }> {
  const row = yield* one<{ live: number; newest: number | null }>(
    'SELECT COUNT(CASE WHEN deleted = 0 THEN 1 END) AS live, MAX(version) AS newest FROM key_backup_versions WHERE user_id = ?',
    userId,
  )
  return { live: row?.live ?? 0, newest: row?.newest ?? 0 }
}

export function* insertBackup(
  userId: string,
  version: number,
  algorithm: string,
  authData: string,
): Tx<void> {
  yield* run(
    `INSERT INTO key_backup_versions (user_id, version, algorithm, auth_data, etag, sessions, deleted)
     VALUES (?, ?, ?, ?, 1, 0, 0)`,
    userId,
    version,
    algorithm,
    authData,
  )
}

export function* updateBackupAuthData(userId: string, version: number, authData: string): Tx<void> {
  yield* run(
    'UPDATE key_backup_versions SET auth_data = ? WHERE user_id = ? AND version = ? AND deleted = 0',
    authData,
    userId,
    version,
  )
}

/** Post: no other transaction changes or deletes the version before this one ends. False when it does not exist. */
export function* lockBackup(userId: string, version: number): Tx<boolean> {
  const changes = yield* runChanges(
    'UPDATE key_backup_versions SET etag = etag WHERE user_id = ? AND version = ? AND deleted = 0',
    userId,
    version,
  )
  return changes > 0
}

/** Post: the version is gone for its user; its sessions are to be swept. Gives whether it existed. */
export function* markBackupDeleted(userId: string, version: number): Tx<boolean> {
  const changes = yield* runChanges(
    'UPDATE key_backup_versions SET deleted = 1 WHERE user_id = ? AND version = ? AND deleted = 0',
    userId,
    version,
  )
  return changes > 0
}

/** Deleted versions. The newest version of a user stays as a row, for its number must not come again. */
export function* deletedBackups(
  limit: number,
): Tx<readonly { readonly user_id: string; readonly version: number }[]> {
  return yield* all(
    `SELECT v.user_id, v.version FROM key_backup_versions v WHERE v.deleted = 1 AND (v.sessions >= 0 OR EXISTS (
       SELECT 1 FROM key_backup_versions n WHERE n.user_id = v.user_id AND n.version > v.version)) LIMIT ?`,
    limit,
  )
}

/** Deletes up to `limit` sessions of a deleted version; gives how many. */
export function* sweepBackupSessions(userId: string, version: number, limit: number): Tx<number> {
  return yield* runChanges(
    `DELETE FROM key_backup_sessions WHERE user_id = ? AND version = ? AND (room_id, session_id) IN (
       SELECT room_id, session_id FROM key_backup_sessions WHERE user_id = ? AND version = ? LIMIT ?)`,
    userId,
    version,
    userId,
    version,
    limit,
  )
}

/** Pre: deleted, and its sessions are gone. Post: the row is gone too, or, as the newest of its user, marked as swept. */
export function* finishBackupSweep(userId: string, version: number): Tx<void> {
  yield* run(
    'UPDATE key_backup_versions SET sessions = -1 WHERE user_id = ? AND version = ? AND deleted = 1',
    userId,
    version,
  )
  yield* run(
    `DELETE FROM key_backup_versions WHERE user_id = ? AND version = ? AND deleted = 1 AND EXISTS (
       SELECT 1 FROM key_backup_versions n WHERE n.user_id = key_backup_versions.user_id AND n.version > key_backup_versions.version)`,
    userId,
    version,
  )
}

const SESSION_COLUMNS = 'room_id, session_id, first_message_index, forwarded_count, is_verified, session_data'
const INSERT_SESSION = `INSERT INTO key_backup_sessions (user_id, version, ${SESSION_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`

const values = (userId: string, version: number, row: BackupSessionRow): (string | number)[] => [
  userId,
  version,
  row.room_id,
  row.session_id,
  row.first_message_index,
  row.forwarded_count,
  row.is_verified,
  row.session_data,
]

/**
 * Post: each session is the better one of what was stored and what is given: verified before not, then the lower
 * first index, then the lower forwarding count. Gives how many were added and how many replaced.
 */
export function* mergeBackupSessions(
  userId: string,
  version: number,
  rows: readonly BackupSessionRow[],
): Tx<{ readonly added: number; readonly replaced: number }> {
  const params = rows.map((row) => values(userId, version, row))
  const added = yield* manyChanges(`${INSERT_SESSION} ON CONFLICT DO NOTHING`, params)
  const replaced = yield* manyChanges(
    `${INSERT_SESSION} ON CONFLICT (user_id, version, room_id, session_id) DO UPDATE SET
       first_message_index = excluded.first_message_index, forwarded_count = excluded.forwarded_count,
       is_verified = excluded.is_verified, session_data = excluded.session_data
     WHERE excluded.is_verified > key_backup_sessions.is_verified
       OR (excluded.is_verified = key_backup_sessions.is_verified
         AND (excluded.first_message_index < key_backup_sessions.first_message_index
           OR (excluded.first_message_index = key_backup_sessions.first_message_index
             AND excluded.forwarded_count < key_backup_sessions.forwarded_count)))`,
    params,
  )
  return { added, replaced }
}

/** Post: the version's etag is another one, its count is adjusted. Gives both. */
export function* touchBackup(
  userId: string,
  version: number,
  added: number,
): Tx<{ readonly etag: number; readonly sessions: number }> {
  const row = yield* one<{ etag: number; sessions: number }>(
    `UPDATE key_backup_versions SET etag = etag + 1, sessions = sessions + ?
     WHERE user_id = ? AND version = ? RETURNING etag, sessions`,
    added,
    userId,
    version,
  )
  return row!
}

/** Sessions of a version, or of one room in it, after (roomId, sessionId) in order; for reading page by page. */
export function* backupSessionsAfter(
  userId: string,
  version: number,
  after: { readonly roomId: string; readonly sessionId: string },
  onlyRoom: boolean,
  limit: number,
): Tx<readonly BackupSessionRow[]> {
  if (onlyRoom) {
    return yield* all<BackupSessionRow>(
      `SELECT ${SESSION_COLUMNS} FROM key_backup_sessions
       WHERE user_id = ? AND version = ? AND room_id = ? AND session_id > ? ORDER BY session_id LIMIT ?`,
      userId,
      version,
      after.roomId,
      after.sessionId,
      limit,
    )
  }
  return yield* all<BackupSessionRow>(
    `SELECT ${SESSION_COLUMNS} FROM key_backup_sessions
     WHERE user_id = ? AND version = ? AND (room_id, session_id) > (?, ?) ORDER BY room_id, session_id LIMIT ?`,
    userId,
    version,
    after.roomId,
    after.sessionId,
    limit,
  )
}

export function* backupSession(
  userId: string,
  version: number,
  roomId: string,
  sessionId: string,
): Tx<BackupSessionRow | undefined> {
  return yield* one<BackupSessionRow>(
    `SELECT ${SESSION_COLUMNS} FROM key_backup_sessions
     WHERE user_id = ? AND version = ? AND room_id = ? AND session_id = ?`,
    userId,
    version,
    roomId,
    sessionId,
  )
}

/** Deletes one session, those of a room, or, `roomId` undefined, up to `limit` of all. Gives how many. */
export function* deleteBackupSessions(
  userId: string,
  version: number,
  roomId: string | undefined,
  sessionId: string | undefined,
  limit: number,
): Tx<number> {
  if (roomId === undefined) return yield* sweepBackupSessions(userId, version, limit)
  if (sessionId === undefined) {
    return yield* runChanges(
      `DELETE FROM key_backup_sessions WHERE user_id = ? AND version = ? AND room_id = ? AND session_id IN (
         SELECT session_id FROM key_backup_sessions WHERE user_id = ? AND version = ? AND room_id = ? LIMIT ?)`,
      userId,
      version,
      roomId,
      userId,
      version,
      roomId,
      limit,
    )
  }
  return yield* runChanges(
    'DELETE FROM key_backup_sessions WHERE user_id = ? AND version = ? AND room_id = ? AND session_id = ?',
    userId,
    version,
    roomId,
    sessionId,
  )
}
