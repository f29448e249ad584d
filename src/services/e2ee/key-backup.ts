import { MatrixError, badJson, invalidParam, notFound } from '../../core/errors.js'
import { fitsId, isLegalText, utf8Length } from '../../core/ids/common.js'
import { isObject, type JsonObject, ownValue } from '../../core/json/value.js'
import * as rows from '../../storage/tables/key-backup.js'
import { deleteInBatches } from '../../storage/delete-in-batches.js'
import type { Store, Tx } from '../../storage/tx.js'
import { readSessions, sessionJson, type BackupScope, type KeyBackupLimits } from './backup-sessions.js'
import { chunks } from './results.js'

export interface KeyBackupDeps {
  readonly store: Store
  readonly limits?: Partial<KeyBackupLimits>
}

const DEFAULT_LIMITS: KeyBackupLimits = {
  sessions: 1_000_000,
  sessionsPerRequest: 10_000,
  sessionBytes: 65_536,
  authDataBytes: 65_536,
  versions: 50,
}

export interface BackupVersion {
  readonly version: string
  readonly algorithm: string
  readonly auth_data: JsonObject
  readonly count: number
  readonly etag: string
}

export interface BackupUpdate {
  readonly count: number
  readonly etag: string
}

/** Backups of room keys, encrypted by their owners. SPEC: https://spec.matrix.org/v1.19/client-server-api/#server-side-key-backups */
export interface KeyBackup {
  /** Throws M_BAD_JSON, M_RESOURCE_LIMIT_EXCEEDED. */
  createVersion(userId: string, algorithm: string, authData: JsonObject): Promise<{ version: string }>
  /** The given version, or the current one. Throws M_NOT_FOUND. */
  version(userId: string, version?: string): Promise<BackupVersion>
  /** Throws M_NOT_FOUND, and M_INVALID_PARAM for another algorithm or another version in the body. */
  updateVersion(userId: string, version: string, update: JsonObject): Promise<void>
  /** Throws M_NOT_FOUND. The sessions are deleted after the answer, a few at a time. */
  deleteVersion(userId: string, version: string): Promise<void>
  /**
   * Stores sessions: `rooms`, or `sessions` of a room, or one session's data, as `scope` says. Keeps the better one of two.
   * Throws M_NOT_FOUND, M_WRONG_ROOM_KEYS_VERSION with `current_version`, M_BAD_JSON, M_TOO_LARGE.
   */
  put(userId: string, version: string, scope: BackupScope, body: JsonObject): Promise<BackupUpdate>
  /** One session's data. Throws M_NOT_FOUND. */
  session(userId: string, version: string, roomId: string, sessionId: string): Promise<JsonObject>
  /** The JSON of `{"rooms": …}` or, of a room, `{"sessions": …}`, piece by piece. Throws M_NOT_FOUND at once. */
  read(userId: string, version: string, roomId?: string): Promise<AsyncIterable<string>>
  /** Throws M_NOT_FOUND. */
  delete(userId: string, version: string, scope: BackupScope): Promise<BackupUpdate>
  /** Deletes what deleted versions leave behind. For a job, at start and every hour. */
  sweep(): Promise<void>
}

const PAGE = 500
const BATCH = 1_000

const unknownVersion = (): MatrixError => notFound('Unknown backup version')

/** A version as it was given out: decimal, without leading zeros. */
function parseVersion(text: string): number {
  if (!/^[1-9][0-9]{0,14}$/.test(text)) throw unknownVersion()
  return Number(text)
}

const updateOf = (row: { readonly etag: number; readonly sessions: number }): BackupUpdate => ({
  etag: String(row.etag),
  count: row.sessions,
})

export function createKeyBackup(deps: KeyBackupDeps): KeyBackup {
  const { store } = deps
  const bounds = { ...DEFAULT_LIMITS, ...deps.limits }

  /** Throws unless the version may be written to. */
  function* requireCurrent(userId: string, version: number): Tx<void> {
    const current = yield* rows.currentBackup(userId)
    if (current === undefined) throw unknownVersion()
    if (current.version === version) return
    if ((yield* rows.backupByVersion(userId, version)) === undefined) throw unknownVersion()
    throw new MatrixError('M_WRONG_ROOM_KEYS_VERSION', 'Wrong backup version', {
      current_version: String(current.version),
    })
  }

  /** One body of a few hundred sessions, so that no other write waits long. */
  async function putPart(
    userId: string,
    version: number,
    sessions: readonly rows.BackupSessionRow[],
  ): Promise<BackupUpdate> {
    return await store.write('e2ee.putRoomKeys', function* () {
      yield* requireCurrent(userId, version)
      if (!(yield* rows.lockBackup(userId, version))) throw unknownVersion()
      const { added, replaced } = yield* rows.mergeBackupSessions(userId, version, sessions)
      const row =
        added + replaced > 0
          ? yield* rows.touchBackup(userId, version, added)
          : (yield* rows.backupByVersion(userId, version))!
      if (added > 0 && row.sessions > bounds.sessions)
        throw new MatrixError('M_RESOURCE_LIMIT_EXCEEDED', `A backup holds at most ${bounds.sessions} keys`)
      return updateOf(row)
    })
  }

  async function require(userId: string, version: number): Promise<rows.BackupVersionRow> {
    const row = await store.read('e2ee.backupVersion', () => rows.backupByVersion(userId, version))
    if (row === undefined) throw unknownVersion()
    return row
  }

  async function* pages(userId: string, version: number, roomId: string | undefined): AsyncGenerator<string> {
    let after = { roomId: roomId ?? '', sessionId: '' }
    let room: string | undefined
    let first = true
    yield roomId === undefined ? '{"rooms":{' : '{"sessions":{'
    for (;;) {
      const at = after
      const page = await store.read('e2ee.readRoomKeys', () =>
        rows.backupSessionsAfter(userId, version, at, roomId !== undefined, PAGE),
      )
      let text = ''
      for (const row of page) {
        if (roomId === undefined && row.room_id !== room) {
          text += `${room === undefined ? '' : '}},'}${JSON.stringify(row.room_id)}:{"sessions":{`
          room = row.room_id
          first = true
        }
        text += `${first ? '' : ','}${JSON.stringify(row.session_id)}:${sessionJson(row)}`
        first = false
      }
      if (text !== '') yield text
      const last = page.at(-1)
      if (last === undefined || page.length < PAGE) break
      after = { roomId: last.room_id, sessionId: last.session_id }
    }
    yield room === undefined ? '}}' : '}}}}'
  }

  async function sweepVersion(userId: string, version: number): Promise<void> {
    await deleteInBatches(store, 'e2ee.sweepBackup', BATCH, (size) =>
      rows.sweepBackupSessions(userId, version, size),
    )
    await store.write('e2ee.finishSweep', () => rows.finishBackupSweep(userId, version))
  }

  return {
    async createVersion(userId, algorithm, authData) {
      const json = JSON.stringify(authData)
      if (utf8Length(json) > bounds.authDataBytes)
        throw new MatrixError('M_TOO_LARGE', 'auth_data is too large')
      if (algorithm === '' || !fitsId(algorithm) || !isLegalText(algorithm))
        throw badJson('algorithm is too long or not legal')
      return await store.write('e2ee.createBackup', function* () {
        const { live, newest } = yield* rows.backupVersions(userId)
        if (live >= bounds.versions)
          throw new MatrixError('M_RESOURCE_LIMIT_EXCEEDED', `A user has at most ${bounds.versions} backups`)
        yield* rows.insertBackup(userId, newest + 1, algorithm, json)
        return { version: String(newest + 1) }
      })
    },
    async version(userId, version) {
      const row =
        version === undefined
          ? await store.read('e2ee.currentBackup', () => rows.currentBackup(userId))
          : await require(userId, parseVersion(version))
      if (row === undefined) throw notFound('No current backup version')
      return {
        version: String(row.version),
        algorithm: row.algorithm,
        auth_data: JSON.parse(row.auth_data) as JsonObject,
        ...updateOf(row),
      }
    },
    async updateVersion(userId, version, update) {
      const number = parseVersion(version)
      const authData = ownValue(update, 'auth_data')
      if (!isObject(authData)) throw badJson('auth_data must be an object')
      const inBody = ownValue(update, 'version')
      if (inBody !== undefined && inBody !== version)
        throw invalidParam('The version in the body is not that in the path')
      const json = JSON.stringify(authData)
      if (utf8Length(json) > bounds.authDataBytes)
        throw new MatrixError('M_TOO_LARGE', 'auth_data is too large')
      await store.write('e2ee.updateBackup', function* () {
        const row = yield* rows.backupByVersion(userId, number)
        if (row === undefined) throw unknownVersion()
        if (ownValue(update, 'algorithm') !== row.algorithm) throw invalidParam('Algorithm does not match')
        yield* rows.updateBackupAuthData(userId, number, json)
      })
    },
    async deleteVersion(userId, version) {
      const number = parseVersion(version)
      const existed = await store.write('e2ee.deleteBackup', () => rows.markBackupDeleted(userId, number))
      if (!existed) throw unknownVersion()
      // Small backups go at once; a failure or a crash leaves the rest to the job.
      await store
        .write('e2ee.sweepBackup', () => rows.sweepBackupSessions(userId, number, BATCH))
        .catch(() => undefined)
    },
    async put(userId, version, scope, body) {
      const number = parseVersion(version)
      const sessions = readSessions(scope, body, bounds)
      let result = await putPart(userId, number, sessions.slice(0, BATCH))
      for (const part of chunks(sessions.slice(BATCH), BATCH)) result = await putPart(userId, number, part)
      return result
    },
    async session(userId, version, roomId, sessionId) {
      const { version: number } = await require(userId, parseVersion(version))
      const row = await store.read('e2ee.roomKey', () =>
        rows.backupSession(userId, number, roomId, sessionId),
      )
      if (row === undefined) throw notFound('There is no such key in the backup')
      return JSON.parse(sessionJson(row)) as JsonObject
    },
    async read(userId, version, roomId) {
      const { version: number } = await require(userId, parseVersion(version))
      return pages(userId, number, roomId)
    },
    async delete(userId, version, scope) {
      const number = parseVersion(version)
      let result: BackupUpdate
      let gone: number
      do {
        ;[gone, result] = await store.write('e2ee.deleteRoomKeys', function* () {
          if (!(yield* rows.lockBackup(userId, number))) throw unknownVersion()
          const n = yield* rows.deleteBackupSessions(userId, number, scope.roomId, scope.sessionId, BATCH)
          const row =
            n > 0
              ? yield* rows.touchBackup(userId, number, -n)
              : (yield* rows.backupByVersion(userId, number))!
          return [n, updateOf(row)] as const
        })
      } while (gone === BATCH)
      return result
    },
    async sweep() {
      const deleted = await store.read('e2ee.deletedBackups', () => rows.deletedBackups(100))
      for (const row of deleted) await sweepVersion(row.user_id, row.version)
    },
  }
}
