import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { createTestDatabase, testPostgres } from '../storage/testing-postgres.js'
import { startNodeIn, type Answer, type NodeUnderTest } from './testing-node-client.js'
import { workplace, type Finished, type Workplace } from './testing.js'

const CONFIG = `server_name: ministry.example
listeners: [{ address: 127.0.0.1, port: 0 }]
passwords: { memory_kib: 64, iterations: 1 }
rate_limits: { enabled: false }
`
const PASSWORD = 'a first password'

let place: Workplace
let node: NodeUnderTest | undefined
const inPlace = (...names: string[]): string => join(place.folder, ...names)

beforeEach(async () => {
  place = workplace()
  writeFileSync(inPlace('homeserver.yaml'), CONFIG)
  await place.run(['generate-key'])
  await place.run(['register-user', '--user', 'anne'], { input: `${PASSWORD}\n` })
})
afterEach(async () => {
  await stop()
  place.remove()
})

async function start(): Promise<void> {
  node = await startNodeIn(place.folder)
}
async function stop(): Promise<void> {
  await node?.close()
  node = undefined
}

let sent = 0
const say = (token: string, roomId: string, body: string): Promise<Answer> =>
  node!.call('PUT', `v3/rooms/${encodeURIComponent(roomId)}/send/m.room.message/t${sent++}`, token, {
    msgtype: 'm.text',
    body,
  })

async function sync(token: string, since?: string): Promise<Answer['body']> {
  const query = since === undefined ? '' : `&since=${since}`
  const answer = await node!.call('GET', `v3/sync?timeout=0${query}`, token)
  expect(answer.status).toBe(200)
  return answer.body
}

const bodiesIn = (answer: Answer['body'], roomId: string): string[] =>
  ((answer['rooms'].join?.[roomId]?.timeline.events ?? []) as { content: { body?: string } }[]).flatMap(
    (event) => event.content.body ?? [],
  )

const positionOf = (token: string): number => Number(/^s1_(\d+)_/.exec(token)![1])

interface Person {
  readonly token: string
  readonly userId: string
  readonly deviceId: string
}

async function logIn(): Promise<Person> {
  const { body } = await node!.login('anne', PASSWORD)
  return { token: body['access_token'], userId: body['user_id'], deviceId: body['device_id'] }
}

const signed = (key: string): object => ({
  key,
  signatures: { '@x:a.example': { 'ed25519:X': 'signature' } },
})

const oneTimeKeys = (person: Person): Promise<Answer> =>
  node!.call('POST', 'v3/keys/upload', person.token, {
    one_time_keys: Object.fromEntries(
      ['A', 'B', 'C'].map((id) => [`signed_curve25519:${id}`, signed(`key ${id}`)]),
    ),
    fallback_keys: { 'signed_curve25519:F': { ...signed('key F'), fallback: true } },
  })

const claim = async (by: Person, of: Person): Promise<string[]> => {
  const wish = { one_time_keys: { [of.userId]: { [of.deviceId]: 'signed_curve25519' } } }
  const { body } = await node!.call('POST', 'v3/keys/claim', by.token, wish)
  return Object.keys(body['one_time_keys'][of.userId]?.[of.deviceId] ?? {})
}

interface Before {
  readonly phone: Person
  readonly roomId: string
  /** Tokens of before the backup and of the time that is lost. */
  readonly known: string
  readonly lost: string
}

/** A node that lives, is saved by `save`, lives on, and is lost. */
async function liveAndLose(save: () => Promise<void>): Promise<Before> {
  await start()
  const phone = await logIn()
  const laptop = await logIn()
  await oneTimeKeys(phone)
  const made = await node!.call('POST', 'v3/createRoom', phone.token, { name: 'Council' })
  const roomId = made.body['room_id'] as string
  await say(phone.token, roomId, 'before')
  const known = (await sync(phone.token))['next_batch'] as string
  await save()
  if (node === undefined) await start()
  await say(phone.token, roomId, 'lost')
  await node!.call('PUT', `v3/rooms/${encodeURIComponent(roomId)}/state/m.room.topic/`, phone.token, {
    topic: 'lost',
  })
  expect(await claim(laptop, phone)).toEqual(['signed_curve25519:A'])
  const lost = (await sync(phone.token, known))['next_batch'] as string
  expect(positionOf(lost)).toBeGreaterThan(positionOf(known))
  await stop()
  return { phone, roomId, known, lost }
}

/** What must hold of a restored node, whatever way it was restored. */
async function expectWell({ phone, roomId, known, lost }: Before): Promise<string> {
  await start()
  await say(phone.token, roomId, 'after')
  // A client that saw nothing of what is lost goes on as ever.
  const one = await sync(phone.token, known)
  expect(bodiesIn(one, roomId)).toEqual(['after'])
  // One that did is told everything anew, once.
  const other = await sync(phone.token, lost)
  expect(bodiesIn(other, roomId)).toEqual(['before', 'after'])
  const state = other['rooms'].join[roomId].state.events as { type: string; content: object }[]
  const types = [...state, ...other['rooms'].join[roomId].timeline.events].map((event) => event.type)
  expect(types).toEqual(expect.arrayContaining(['m.room.create', 'm.room.member', 'm.room.name']))
  expect(types).not.toContain('m.room.topic')
  expect(other['device_lists'].changed).toContain(phone.userId)
  for (const answer of [one, other]) {
    expect(answer['device_one_time_keys_count']['signed_curve25519'] ?? 0).toBe(0)
    expect(answer['device_unused_fallback_key_types']).toEqual([])
    expect(positionOf(answer['next_batch'])).toBeGreaterThan(positionOf(lost))
  }
  await say(phone.token, roomId, 'later')
  expect(bodiesIn(await sync(phone.token, other['next_batch']), roomId)).toEqual(['later'])
  // B and C may have been handed out by the node that is lost.
  expect(await claim(await logIn(), phone)).toEqual(['signed_curve25519:F'])
  return (await sync(phone.token))['next_batch'] as string
}

const backup = async (): Promise<void> => {
  expect((await place.run(['backup', 'saved'])).code).toBe(0)
}

describe('chancery restore', () => {
  it('lets a node go on well ahead, tells clients of the lost time everything anew and hands no one-time key out again', async () => {
    const before = await liveAndLose(backup)
    const refused = await place.run(['restore', 'saved'])
    expect([refused.code, refused.err]).toEqual([
      1,
      expect.stringMatching(/homeserver\.db is there: move it away/),
    ])
    for (const end of ['', '-wal', '-shm']) rmSync(inPlace(`homeserver.db${end}`), { force: true })
    const done = await place.run(['restore', 'saved'])
    expect([done.code, done.err]).toEqual([0, ''])
    expect(done.out).toMatch(/one-time keys that are not handed out again: 3;/)
    expect(done.out).toMatch(/is there already, unchanged: .*signing\.key/)
    const second = await expectWell(before)

    // The same backup once more: what the first restoration gave out is lost as well.
    await stop()
    for (const end of ['', '-wal', '-shm']) rmSync(inPlace(`homeserver.db${end}`), { force: true })
    expect((await place.run(['restore', 'saved'])).code).toBe(0)
    await expectWell({ ...before, lost: second })
  })

  it('is not needed for a copy that was put in place by hand: the node sees that it is one', async () => {
    const before = await liveAndLose(backup)
    for (const end of ['-wal', '-shm']) rmSync(inPlace(`homeserver.db${end}`), { force: true })
    cpSync(inPlace('saved', 'homeserver.db'), inPlace('homeserver.db'))
    await expectWell(before)
    await stop()
    // Once: a restart is no restoration.
    await start()
    const now = positionOf((await sync(before.phone.token))['next_batch'])
    await say(before.phone.token, before.roomId, 'again')
    expect(positionOf((await sync(before.phone.token))['next_batch']) - now).toBeLessThan(100)
  })

  it('puts everything into another folder, for a try or a new machine', async () => {
    await liveAndLose(backup)
    renameSync(inPlace('saved'), inPlace('elsewhere'))
    for (const name of ['homeserver.db', 'media', 'signing.key', 'homeserver.yaml'])
      rmSync(inPlace(name), { recursive: true, force: true })
    const done = await place.run(['restore', 'elsewhere', '--to', 'new'])
    expect([done.code, done.err]).toEqual([0, ''])
    for (const name of ['homeserver.db', 'signing.key', 'homeserver.yaml'])
      expect([name, existsSync(inPlace('new', name))]).toEqual([name, true])
    expect(existsSync(inPlace('homeserver.db'))).toBe(false)
    node = await startNodeIn(inPlace('new'))
    expect((await node.login('anne', PASSWORD)).status).toBe(200)
  })

  it('refuses what is no backup, a damaged one, other files in its place, and a node that runs', async () => {
    const err = async (...args: string[]): Promise<string> => {
      const done: Finished = await place.run(['restore', ...args])
      expect(done.code).not.toBe(0)
      return done.err
    }
    expect(await err()).toMatch(/DIR is missing/)
    expect(await err('saved', '--in-place')).toMatch(/takes neither DIR/)
    mkdirSync(inPlace('empty'))
    expect(await err('empty')).toMatch(/MANIFEST\.json cannot be read \(ENOENT\).*is no backup/)
    await backup()
    await start()
    expect(await err('--in-place')).toMatch(/a node runs with this configuration/)
    await stop()
    rmSync(inPlace('homeserver.db'))
    expect(await err('--in-place')).toMatch(/there is no database at/)

    writeFileSync(inPlace('homeserver.yaml'), `${CONFIG}# changed\n`)
    expect(await err('saved')).toMatch(/homeserver\.yaml is there, and other than in the backup/)
    expect(existsSync(inPlace('homeserver.db'))).toBe(false)
    writeFileSync(inPlace('homeserver.yaml'), CONFIG)

    const key = readFileSync(inPlace('saved', 'signing.key'))
    writeFileSync(inPlace('saved', 'signing.key'), 'spoilt')
    expect(await err('saved')).toMatch(/signing\.key is damaged/)
    writeFileSync(inPlace('saved', 'signing.key'), key)
    const manifest = readFileSync(inPlace('saved', 'MANIFEST.json'), 'utf8')
    writeFileSync(inPlace('saved', 'MANIFEST.json'), manifest.replace('"homeserver.yaml"', '"../../etc/x"'))
    expect(await err('saved')).toMatch(/MANIFEST\.json is damaged/)
    writeFileSync(inPlace('saved', 'MANIFEST.json'), manifest)
    const database = readFileSync(inPlace('saved', 'homeserver.db'))
    // Where SQLite itself would see nothing: within a text.
    const spoilt = Buffer.from(database)
    spoilt.write('Anne', spoilt.indexOf('anne'))
    writeFileSync(inPlace('saved', 'homeserver.db'), spoilt)
    expect(await err('saved')).toMatch(/homeserver\.db is damaged: its checksum/)
    expect(existsSync(inPlace('homeserver.db'))).toBe(false)
    // The first backups have no checksum of the database.
    const old = JSON.parse(manifest) as { database: { sha256?: string } }
    delete old.database.sha256
    writeFileSync(inPlace('saved', 'MANIFEST.json'), JSON.stringify(old))
    writeFileSync(inPlace('saved', 'homeserver.db'), database.subarray(0, 20_000))
    expect(await err('saved')).toMatch(/homeserver\.db/)
    expect(existsSync(inPlace('homeserver.db'))).toBe(false)
    writeFileSync(inPlace('saved', 'homeserver.db'), database)
    expect((await place.run(['restore', 'saved'])).code).toBe(0)
  })
})

const found = await testPostgres()
const withPostgres = found.kind === 'running' ? describe : describe.skip

withPostgres('chancery restore --in-place', () => {
  it('makes a PostgreSQL database fit to go on that was put back by other means', async () => {
    const database = await createTestDatabase()
    try {
      writeFileSync(inPlace('url'), `${database.url}\n`)
      const before = await liveAndLose(async () => {
        await stop()
        // Stands for pg_dump and pg_restore: a PostgreSQL database of this moment.
        const moved = await place.run(['migrate-store', '--from', 'sqlite', '--to', 'postgres', '--url-file', 'url']) // prettier-ignore
        expect([moved.code, moved.err]).toEqual([0, ''])
      })
      writeFileSync(
        inPlace('homeserver.yaml'),
        `${CONFIG}database: { driver: postgres, url: '${database.url}', max_connections: 4 }\n`,
      )
      const done = await place.run(['restore', '--in-place'])
      expect([done.code, done.err]).toEqual([0, ''])
      expect(done.out).toMatch(/one-time keys that are not handed out again: 3;/)
      await expectWell(before)
    } finally {
      await stop()
      await database.drop()
    }
  })

  it('refuses a database without accounts: nothing was put back', async () => {
    const database = await createTestDatabase()
    try {
      writeFileSync(
        inPlace('homeserver.yaml'),
        `${CONFIG}database: { driver: postgres, url: '${database.url}', max_connections: 4 }\n`,
      )
      const done = await place.run(['restore', '--in-place'])
      expect([done.code, done.err]).toEqual([1, expect.stringMatching(/holds no account: restore it first/)])
    } finally {
      await database.drop()
    }
  })
})
