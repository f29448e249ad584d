import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs' // prettier-ignore
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { createTestDatabase, testPostgres } from '../storage/testing-postgres.js'
import { startNodeIn, type Answer, type NodeUnderTest } from './testing-node-client.js'
import { workplace, type Workplace } from './testing.js'

const CONFIG = `server_name: ministry.example
listeners: [{ address: 127.0.0.1, port: 0 }]
passwords: { memory_kib: 64, iterations: 1 }
registration: { shared_secret_file: secrets/shared }
rate_limits: { login: false, registration: false, message: false, create_room: false, media: false, read: false }
`
const PASSWORD = 'a first password'

let place: Workplace
let node: NodeUnderTest | undefined

beforeEach(async () => {
  place = workplace()
  mkdirSync(join(place.folder, 'secrets'))
  writeFileSync(join(place.folder, 'secrets', 'shared'), 'a shared secret of some length\n')
  writeFileSync(join(place.folder, 'homeserver.yaml'), CONFIG)
  await place.run(['generate-key'])
  await place.run(['register-user', '--user', 'anne'], { input: `${PASSWORD}\n` })
})
afterEach(async () => {
  await node?.close()
  node = undefined
  place.remove()
})

/** A room with messages and a picture; gives what finds them again. */
async function live(): Promise<{ token: string; roomId: string; mxc: string }> {
  node = await startNodeIn(place.folder)
  const token = (await node.login('anne', PASSWORD)).body['access_token'] as string
  const made = await node.call('POST', 'v3/createRoom', token, { name: 'Council' })
  const roomId = made.body['room_id'] as string
  for (let i = 0; i < 20; i++) await say(token, roomId, `message ${i}`)
  const sent = await fetch(`${node.url}/_matrix/media/v3/upload?filename=a.bin`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/octet-stream' },
    body: Buffer.alloc(300_000, 'x'),
  })
  return { token, roomId, mxc: ((await sent.json()) as { content_uri: string }).content_uri }
}

let sent = 0
const say = (token: string, roomId: string, body: string): Promise<Answer> =>
  node!.call('PUT', `v3/rooms/${encodeURIComponent(roomId)}/send/m.room.message/t${sent++}`, token, {
    msgtype: 'm.text',
    body,
  })

async function messages(token: string, roomId: string): Promise<string[]> {
  const path = `v3/rooms/${encodeURIComponent(roomId)}/messages?dir=b&limit=1000`
  const { body } = await node!.call('GET', path, token)
  const chunk = body['chunk'] as { event_id: string; content: { body?: string } }[]
  return chunk.map((event) => `${event.event_id} ${event.content.body ?? ''}`).reverse()
}

const bytesOf = async (token: string, mxc: string): Promise<number> => {
  const [, server, id] = /^mxc:\/\/([^/]+)\/(.+)$/.exec(mxc)!
  const answer = await fetch(`${node!.url}/_matrix/client/v1/media/download/${server}/${id}`, {
    headers: { Authorization: `Bearer ${token}` },
  })
  return (await answer.arrayBuffer()).byteLength
}

describe('chancery backup', () => {
  it('of a node under load, put back in an empty folder, is the same server with the same rooms, messages, sessions and files', async () => {
    const { token, roomId, mxc } = await live()
    let stop = false
    const traffic = (async () => {
      while (!stop) await say(token, roomId, 'meanwhile')
    })()
    const before = await messages(token, roomId)
    const done = await place.run(['backup', 'saved'])
    stop = true
    await traffic
    expect([done.code, done.err]).toEqual([0, ''])
    const after = await messages(token, roomId)
    await node!.close()
    node = undefined

    // As the page for operators says: everything of the backup into an empty folder.
    const saved = join(place.folder, 'saved')
    const restored = join(place.folder, 'restored')
    cpSync(saved, restored, { recursive: true })
    mkdirSync(join(restored, 'secrets'))
    const manifest = JSON.parse(readFileSync(join(restored, 'MANIFEST.json'), 'utf8')) as {
      files: { path: string; from: string; sha256: string }[]
      database: { schema: number }
    }
    const secret = manifest.files.find((file) => file.from.endsWith('secrets/shared'))!
    renameSync(join(restored, secret.path), join(restored, 'secrets', 'shared'))
    // The old place is gone, so that nothing is read from there.
    for (const name of ['homeserver.db', 'media', 'signing.key', 'secrets'])
      rmSync(join(place.folder, name), { recursive: true })
    node = await startNodeIn(restored)
    const then = await messages(token, roomId)
    expect(then.length).toBeGreaterThanOrEqual(before.length)
    expect(then).toEqual(after.slice(0, then.length))
    expect(await bytesOf(token, mxc)).toBe(300_000)
    expect((await say(token, roomId, 'it goes on')).status).toBe(200)
    expect(manifest.database.schema).toBeGreaterThan(9)
    for (const file of manifest.files) {
      if (file === secret) continue
      const bytes = readFileSync(join(saved, file.path))
      expect(createHash('sha256').update(bytes).digest('hex')).toBe(file.sha256)
    }
  })

  it('can be read by nobody else, and never goes into a folder with something in it', async () => {
    expect((await place.run(['backup', 'saved'])).code).toBe(0)
    const saved = join(place.folder, 'saved')
    expect(statSync(saved).mode & 0o777).toBe(0o700)
    for (const name of ['homeserver.db', 'signing.key', 'homeserver.yaml', 'MANIFEST.json'])
      expect([name, statSync(join(saved, name)).mode & 0o777]).toEqual([name, 0o600])
    const again = await place.run(['backup', 'saved'])
    expect([again.code, again.err]).toEqual([1, expect.stringMatching(/is not empty/)])
    expect((await place.run(['backup'])).err).toMatch(/DIR is missing/)
    rmSync(join(place.folder, 'signing.key'))
    expect((await place.run(['backup', 'other'])).err).toMatch(/signing\.key cannot be copied \(ENOENT\)/)
    expect(existsSync(join(place.folder, 'other', 'MANIFEST.json'))).toBe(false)
  })

  it('names files whose bytes are not what they were, and leaves uploads under way out', async () => {
    await live()
    await node!.close()
    node = undefined
    const blobs = join(place.folder, 'media', 'blobs')
    const [blob] = readdirSync(blobs, { recursive: true, encoding: 'utf8' }).filter(
      (name) => name.length > 60,
    )
    writeFileSync(join(blobs, blob!), 'spoilt')
    writeFileSync(join(place.folder, 'media', 'tmp', 'upload'), 'half')
    const done = await place.run(['backup', 'saved'])
    expect([done.code, done.err]).toEqual([
      1,
      expect.stringMatching(/^damaged, copied as it is: .*[0-9a-f]{64}\n$/),
    ])
    expect(readFileSync(join(place.folder, 'saved', 'media', 'blobs', blob!), 'utf8')).toBe('spoilt')
    expect(existsSync(join(place.folder, 'saved', 'media', 'tmp'))).toBe(false)
  })
})

const found = await testPostgres()
const withPostgres = found.kind === 'running' ? describe : describe.skip

withPostgres('chancery migrate-store', () => {
  it('moves a node to PostgreSQL, where its sessions, rooms and messages go on', async () => {
    const database = await createTestDatabase()
    try {
      const { token, roomId } = await live()
      const before = await messages(token, roomId)
      const move = (): ReturnType<Workplace['run']> =>
        place.run(['migrate-store', '--from', 'sqlite', '--to', 'postgres', '--url-file', 'url'])
      writeFileSync(join(place.folder, 'url'), `${database.url}\n`)
      expect((await move()).err).toMatch(/is in use by another process/)
      await node!.close()
      node = undefined
      const moved = await move()
      expect([moved.code, moved.err]).toEqual([0, ''])
      expect(moved.out).toMatch(/^events: \d+$/m)
      expect(moved.out).toMatch(/^copied \d+ rows of \d+ tables, .*counted on both sides$/m)
      expect((await move()).err).toMatch(/the target is not empty/)
      writeFileSync(
        join(place.folder, 'homeserver.yaml'),
        `${CONFIG}database: { driver: postgres, url: '${database.url}', max_connections: 4 }\n`,
      )
      node = await startNodeIn(place.folder)
      expect(await messages(token, roomId)).toEqual(before)
      expect((await say(token, roomId, 'from PostgreSQL')).status).toBe(200)
      expect((await messages(token, roomId)).length).toBe(before.length + 1)
      const second = await node.call('POST', 'v3/createRoom', token, {})
      expect(second.status).toBe(200)
      // The rest of the node is saved without the database.
      expect((await place.run(['backup', 'saved'])).err).toMatch(/pg_dump/)
      expect((await place.run(['backup', 'saved', '--without-database'])).code).toBe(0)
      expect(existsSync(join(place.folder, 'saved', 'homeserver.db'))).toBe(false)
    } finally {
      await node?.close()
      node = undefined
      await database.drop()
    }
  })

  it('refuses other ways, and a password that others could see', async () => {
    const start = ['migrate-store', '--from', 'sqlite', '--to', 'postgres']
    const cases: [string[], RegExp][] = [
      [['migrate-store', '--from', 'postgres', '--to', 'sqlite'], /no other way is there/],
      [start, /where to\?/],
      [[...start, '--url', 'mysql://x'], /no `postgres:/],
      [[...start, '--url', 'postgres://me:secret@host/db'], /seen by everybody/],
      [[...start, '--url', 'postgres://me@host/db', '--url-file', 'x'], /give one of/],
      [[...start, '--url-file', 'x'], /cannot be read \(ENOENT\)/],
    ]
    for (const [args, message] of cases) expect((await place.run(args)).err).toMatch(message)
  })
})
