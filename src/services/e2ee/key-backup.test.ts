import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../../core/json/value.js'
import { openTestStore } from '../../storage/testing.js'
import { all, type Store } from '../../storage/tx.js'
import { createKeyBackup, type KeyBackup } from './key-backup.js'
import { testSchema } from './testing.js'

const ALICE = '@alice:a.example'
const ALGORITHM = 'm.megolm_backup.v1.curve25519-aes-sha2'
const ROOM = '!room:a.example'

const session = (data: string, first = 0, forwarded = 0, verified = false): JsonObject => ({
  first_message_index: first,
  forwarded_count: forwarded,
  is_verified: verified,
  session_data: { ciphertext: data },
})

describe('key backup', () => {
  let store: Store
  let backup: KeyBackup
  let version: string
  beforeEach(async () => {
    store = await openTestStore({ migrations: testSchema })
    backup = createKeyBackup({ store })
    version = (await backup.createVersion(ALICE, ALGORITHM, { public_key: 'one' })).version
  })
  afterEach(() => store.close())

  const put = (id: string, value: JsonObject, to = version) =>
    backup.put(ALICE, to, { roomId: ROOM, sessionId: id }, value)
  const read = async (of = version, room?: string) => {
    let text = ''
    for await (const piece of await backup.read(ALICE, of, room)) text += piece
    return JSON.parse(text) as JsonObject
  }

  it('has versions, of which the newest is the current one', async () => {
    const second = (await backup.createVersion(ALICE, ALGORITHM, { public_key: 'two' })).version
    expect(second).not.toBe(version)
    expect(await backup.version(ALICE)).toMatchObject({
      version: second,
      algorithm: ALGORITHM,
      auth_data: { public_key: 'two' },
      count: 0,
    })
    expect(await backup.version(ALICE, version)).toMatchObject({ version, auth_data: { public_key: 'one' } })
    await backup.deleteVersion(ALICE, second)
    expect((await backup.version(ALICE)).version).toBe(version)
    await backup.deleteVersion(ALICE, version)
    await expect(backup.version(ALICE)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
    await expect(backup.deleteVersion(ALICE, version)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
  })

  it('never gives a version number again, not even after a sweep', async () => {
    await backup.deleteVersion(ALICE, version)
    await backup.sweep()
    const next = (await backup.createVersion(ALICE, ALGORITHM, {})).version
    expect(Number(next)).toBeGreaterThan(Number(version))
    await backup.sweep()
    expect(await store.read('test', () => all('SELECT version FROM key_backup_versions'))).toHaveLength(1)
  })

  it('belongs to its user', async () => {
    await put('S', session('x'))
    await expect(backup.version('@bob:a.example', version)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
    await expect(backup.read('@bob:a.example', version)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
  })

  it('changes auth_data, but neither algorithm nor version', async () => {
    const update = { algorithm: ALGORITHM, auth_data: { public_key: 'new' } }
    await backup.updateVersion(ALICE, version, { ...update, version })
    expect((await backup.version(ALICE)).auth_data).toEqual({ public_key: 'new' })
    const invalid = { errcode: 'M_INVALID_PARAM' }
    await expect(backup.updateVersion(ALICE, version, { ...update, version: '9' })).rejects.toMatchObject(
      invalid,
    )
    await expect(backup.updateVersion(ALICE, version, { ...update, algorithm: 'x' })).rejects.toMatchObject(
      invalid,
    )
    await expect(backup.updateVersion(ALICE, '9', update)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
  })

  it.each(['0', '-1', '01', '1.0', 'x', '9'.repeat(400), ''])('knows no version %s', async (text) => {
    await expect(backup.version(ALICE, text)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
  })

  it('stores and gives sessions at each of the three levels', async () => {
    await put('S1', session('one'))
    await backup.put(
      ALICE,
      version,
      { roomId: ROOM },
      { sessions: { S2: session('two'), S3: session('three') } },
    )
    const rooms = { '!other:a.example': { sessions: { S4: session('four') } } }
    expect(await backup.put(ALICE, version, {}, { rooms })).toMatchObject({ count: 4 })
    expect(await backup.session(ALICE, version, ROOM, 'S1')).toEqual(session('one'))
    const inRoom = { S1: session('one'), S2: session('two'), S3: session('three') }
    expect(await read(version, ROOM)).toEqual({ sessions: inRoom })
    expect(await read()).toEqual({ rooms: { [ROOM]: { sessions: inRoom }, ...rooms } })
  })

  it('answers for nothing with empty objects, and with 404 for one session', async () => {
    expect(await read()).toEqual({ rooms: {} })
    expect(await read(version, ROOM)).toEqual({ sessions: {} })
    await expect(backup.session(ALICE, version, ROOM, 'S')).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
  })

  it.each([
    ['verified', session('old'), session('new', 9, 9, true), 'new'],
    ['not verified any more', session('old', 9, 9, true), session('new'), 'old'],
    ['of a lower index', session('old', 5, 0), session('new', 4, 9), 'new'],
    ['of a higher index', session('old', 4, 9), session('new', 5, 0), 'old'],
    ['forwarded less', session('old', 4, 2), session('new', 4, 1), 'new'],
    ['forwarded more', session('old', 4, 1), session('new', 4, 2), 'old'],
    ['as good', session('old', 4, 1), session('new', 4, 1), 'old'],
  ])('keeps the better of two keys: one that is %s', async (_, before, after, kept) => {
    const first = await put('S', before)
    const second = await put('S', after)
    expect((await backup.session(ALICE, version, ROOM, 'S'))['session_data']).toEqual({ ciphertext: kept })
    expect(second.count).toBe(1)
    expect(second.etag === first.etag).toBe(kept === 'old')
  })

  it('takes keys for the current version alone, and names it', async () => {
    const current = (await backup.createVersion(ALICE, ALGORITHM, {})).version
    await expect(put('S', session('x'))).rejects.toMatchObject({
      errcode: 'M_WRONG_ROOM_KEYS_VERSION',
      extra: { current_version: current },
    })
    await expect(put('S', session('x'), '99')).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
  })

  it('deletes sessions at each of the three levels, and counts', async () => {
    const sessions = { A: session('a'), B: session('b'), C: session('c') }
    const rooms = { [ROOM]: { sessions }, '!other:a.example': { sessions } }
    const before = await backup.put(ALICE, version, {}, { rooms })
    const after = await backup.delete(ALICE, version, { roomId: ROOM, sessionId: 'A' })
    expect(after.count).toBe(5)
    expect(after.etag).not.toBe(before.etag)
    expect(await backup.delete(ALICE, version, { roomId: ROOM, sessionId: 'A' })).toEqual(after)
    expect((await backup.delete(ALICE, version, { roomId: ROOM })).count).toBe(3)
    expect((await backup.delete(ALICE, version, {})).count).toBe(0)
    await expect(backup.delete(ALICE, '9', {})).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
  })

  it.each<[string, JsonObject]>([
    ['without rooms', {}],
    ['with a list of rooms', { rooms: [] }],
    ['with rooms without sessions', { rooms: { [ROOM]: {} } }],
    ['with a session that is null', { rooms: { [ROOM]: { sessions: { S: null } } } }],
    ['with a negative index', { rooms: { [ROOM]: { sessions: { S: session('x', -1) } } } }],
    ['with a fraction', { rooms: { [ROOM]: { sessions: { S: session('x', 0.5) } } } }],
    ['with text for a boolean', { rooms: { [ROOM]: { sessions: { S: { ...session('x'), is_verified: 'yes' } } } } }],
    ['with text for data', { rooms: { [ROOM]: { sessions: { S: { ...session('x'), session_data: 'x' } } } } }],
    ['with an id of 300 bytes', { rooms: { [ROOM]: { sessions: { ['S'.repeat(300)]: session('x') } } } }],
    ['with a NUL in an id', { rooms: { [ROOM]: { sessions: { 'S\u0000': session('x') } } } }],
  ])('refuses bodies %s', async (_, body) => {
    await expect(backup.put(ALICE, version, {}, body)).rejects.toMatchObject({ errcode: 'M_BAD_JSON' })
    expect(await read()).toEqual({ rooms: {} })
  }) // prettier-ignore

  it('is bounded in sessions, in their size and in versions', async () => {
    backup = createKeyBackup({
      store,
      limits: { sessions: 2, sessionBytes: 100, versions: 2, sessionsPerRequest: 3 },
    })
    await expect(put('S', session('x'.repeat(200)))).rejects.toMatchObject({ errcode: 'M_TOO_LARGE' })
    await put('A', session('a'))
    await put('B', session('b'))
    await put('B', session('b', 0, 0, true))
    await expect(put('C', session('c'))).rejects.toMatchObject({ errcode: 'M_RESOURCE_LIMIT_EXCEEDED' })
    expect((await backup.version(ALICE)).count).toBe(2)
    const sessions = Object.fromEntries(['A', 'B', 'C', 'D'].map((id) => [id, session(id)]))
    await expect(backup.put(ALICE, version, { roomId: ROOM }, { sessions })).rejects.toMatchObject({ errcode: 'M_TOO_LARGE' }) // prettier-ignore
    await backup.createVersion(ALICE, ALGORITHM, {})
    await expect(backup.createVersion(ALICE, ALGORITHM, {})).rejects.toMatchObject({ errcode: 'M_RESOURCE_LIMIT_EXCEEDED' }) // prettier-ignore
  })

  it('takes names like __proto__ as names', async () => {
    const body = JSON.parse(`{"sessions":{"__proto__":${JSON.stringify(session('p'))}}}`) as JsonObject
    await backup.put(ALICE, version, { roomId: ROOM }, body)
    expect(Object.keys((await read(version, ROOM))['sessions'] as JsonObject)).toEqual(['__proto__'])
  })

  it('reads thousands of sessions page by page, counts them, and deletes them in parts', async () => {
    const rooms: Record<string, JsonObject> = {}
    for (let r = 0; r < 7; r++)
      rooms[`!r${r}:a`] = { sessions: Object.fromEntries(Array.from({ length: 700 }, (_, i) => [`S${i}`, session(`${i}`)])) }
    expect(await backup.put(ALICE, version, {}, { rooms })).toMatchObject({ count: 4_900 })
    expect(await read()).toEqual({ rooms })
    const writing = backup.put(ALICE, version, {}, { rooms: { '!late:a': { sessions: { X: session('x') } } } })
    await Promise.all([writing.catch(() => undefined), backup.deleteVersion(ALICE, version)])
    await expect(backup.read(ALICE, version)).rejects.toMatchObject({ errcode: 'M_NOT_FOUND' })
    await backup.sweep()
    expect(await store.read('test', () => all('SELECT session_id FROM key_backup_sessions'))).toEqual([])
  }) // prettier-ignore
})
