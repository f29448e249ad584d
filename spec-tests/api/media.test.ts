import { expect } from '@jest/globals'
import sharp from 'sharp'
import { call, type Answer, type User } from '../harness/client.js'
import { refusal, section } from '../harness/section.js'

const MEDIA = '/_matrix/media/v3'
const AUTHED = '/_matrix/client/v1/media'
const picture = (colour: string): Promise<Buffer> =>
  sharp({ create: { width: 64, height: 48, channels: 3, background: colour } })
    .png()
    .toBuffer()

async function upload(
  user: User,
  content: Uint8Array | string,
  type = 'text/plain',
  filename?: string,
): Promise<string> {
  const { status, body } = await user.call('POST', `${MEDIA}/upload`, {
    body: content,
    headers: { 'content-type': type },
    query: { filename },
  })
  expect(status).toBe(200)
  return (body.content_uri as string).slice('mxc://'.length)
}

/** What a download gives, as bytes. */
async function bytes(
  base: string,
  path: string,
  token?: string,
): Promise<{ status: number; headers: Headers; body: Buffer }> {
  const answer = await fetch(
    base + path,
    token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } },
  )
  return { status: answer.status, headers: answer.headers, body: Buffer.from(await answer.arrayBuffer()) }
}

section('Content repository', 'client-server-api/#content-repository', (operation) => {
  operation('uploadContent', 'POST /_matrix/media/v3/upload', ({ success, error }) => {
    success('keeps a file that can be had again', async (server) => {
      const alice = await server.user('alice')
      const id = await upload(alice, 'the text', 'text/plain', 'file.txt')
      const got = await bytes(server.url, `${AUTHED}/download/${id}`, alice.token)
      expect([got.status, got.body.toString(), got.headers.get('content-type')]).toEqual([
        200,
        'the text',
        expect.stringMatching(/^text\/plain/),
      ])
      expect(id.split('/')[0]).toBe(server.serverName)
      expect(await upload(alice, 'the text')).not.toBe(id)
    })
    // Not of all: a server may end the connection before the client has read why.
    error(
      'refuses what is too large',
      async (server) => {
        const alice = await server.user('alice')
        const { 'm.upload.size': limit } = await alice.ok('GET', `${AUTHED}/config`)
        const body = new Uint8Array(limit + 1)
        await refusal(
          alice.call('POST', `${MEDIA}/upload`, {
            body,
            headers: { 'content-type': 'application/octet-stream' },
          }),
          413,
          'M_TOO_LARGE',
        )
      },
      { ownOnly: true },
    )
  })
  const create = async (user: User): Promise<string> =>
    ((await user.ok('POST', '/_matrix/media/v1/create')).content_uri as string).slice('mxc://'.length)
  operation('createContent', 'POST /_matrix/media/v1/create', ({ success }) => {
    success('gives a place to upload to later', async (server) => {
      const alice = await server.user('alice')
      const answer = await alice.ok('POST', '/_matrix/media/v1/create')
      expect(answer.content_uri.startsWith(`mxc://${server.serverName}/`)).toBe(true)
      expect(answer.unused_expires_at).toBeGreaterThan(Date.now())
      const another = await create(alice)
      expect(another).not.toBe(answer.content_uri.slice('mxc://'.length))
      const put = { body: 'x', headers: { 'content-type': 'text/plain' } }
      expect((await alice.call('PUT', `${MEDIA}/upload/${another}`, put)).status).toBe(200)
    })
  })
  operation(
    'uploadContentToMXC',
    'PUT /_matrix/media/v3/upload/{serverName}/{mediaId}',
    ({ success, error, authorisation }) => {
      const put = (user: User, id: string, text: string): Promise<Answer> =>
        user.call('PUT', `${MEDIA}/upload/${id}`, { body: text, headers: { 'content-type': 'text/plain' } })
      success('fills the place', async (server) => {
        const alice = await server.user('alice')
        const id = await create(alice)
        expect((await put(alice, id, 'later')).body).toEqual({})
        expect((await bytes(server.url, `${AUTHED}/download/${id}`, alice.token)).body.toString()).toBe(
          'later',
        )
      })
      error('fills it once', async (server) => {
        const alice = await server.user('alice')
        const id = await create(alice)
        await put(alice, id, 'first')
        await refusal(put(alice, id, 'second'), 409, 'M_CANNOT_OVERWRITE_MEDIA')
        expect((await bytes(server.url, `${AUTHED}/download/${id}`, alice.token)).body.toString()).toBe(
          'first',
        )
      })
      authorisation('is for who asked for the place', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        await refusal(put(bob, await create(alice), 'x'), 403, 'M_FORBIDDEN')
      })
    },
  )
  for (const [id, template] of [
    ['getContentAuthed', 'download/{serverName}/{mediaId}'],
    ['getContentOverrideNameAuthed', 'download/{serverName}/{mediaId}/{fileName}'],
  ] as const) {
    const named = id === 'getContentOverrideNameAuthed'
    const rest = named ? '/other.txt' : ''
    operation(id, `GET ${AUTHED}/${template}`, ({ success, error }) => {
      success('gives the file with its type and name, so that no browser runs it', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const media = await upload(alice, 'the text', 'text/plain', 'mine.txt')
        // The harness's client sees it too.
        const seen = await bob.call('GET', `${AUTHED}/download/${media}${rest}`)
        expect([seen.status, seen.body]).toEqual([200, 'the text'])
        expect(seen.headers.get('content-type')).toMatch(/^text\/plain/)
        expect(seen.headers.get('content-disposition')).toContain(named ? 'other.txt' : 'mine.txt')
        const page = await upload(alice, '<script>1</script>', 'text/html')
        const dangerous = await bob.call('GET', `${AUTHED}/download/${page}${rest}`)
        expect(dangerous.headers.get('content-disposition')).toMatch(/^attachment/)
      })
      error('knows no unknown file', async (server) => {
        const alice = await server.user('alice')
        await refusal(
          alice.call('GET', `${AUTHED}/download/${server.serverName}/none${rest}`),
          404,
          'M_NOT_FOUND',
        )
      })
    })
  }
  operation(
    'getContentThumbnailAuthed',
    `GET ${AUTHED}/thumbnail/{serverName}/{mediaId}`,
    ({ success, error }) => {
      success('gives a small picture', async (server) => {
        const alice = await server.user('alice')
        const [red, blue] = [
          await upload(alice, await picture('red'), 'image/png'),
          await upload(alice, await picture('blue'), 'image/png'),
        ]
        const colours: number[][] = []
        for (const media of [red, blue]) {
          const query = { width: 32, height: 32, method: 'crop' }
          expect((await alice.call('GET', `${AUTHED}/thumbnail/${media}`, { query })).status).toBe(200)
          const got = await bytes(
            server.url,
            `${AUTHED}/thumbnail/${media}?width=32&height=32&method=crop`,
            alice.token,
          )
          expect(got.headers.get('content-type')).toMatch(/^image\/(png|jpeg|webp)$/)
          const { data, info } = await sharp(got.body).raw().toBuffer({ resolveWithObject: true })
          expect([info.width, info.height]).toEqual([32, 32])
          colours.push([...data.subarray(0, 3)])
        }
        expect(colours[0]![0]!).toBeGreaterThan(200)
        expect(colours[1]![2]!).toBeGreaterThan(200)
      })
      error('knows no unknown file, and wants a size', async (server) => {
        const alice = await server.user('alice')
        const path = `${AUTHED}/thumbnail/${server.serverName}/none`
        await refusal(alice.call('GET', path, { query: { width: 32, height: 32 } }), 404, 'M_NOT_FOUND')
        await refusal(alice.call('GET', path), 400, 'M_MISSING_PARAM')
      })
    },
  )
  operation('getConfigAuthed', `GET ${AUTHED}/config`, ({ success }) => {
    success('says how large a file may be', async (server) => {
      expect((await (await server.user()).ok('GET', `${AUTHED}/config`))['m.upload.size']).toBeGreaterThan(
        1_000_000,
      )
    })
  })
  operation('getConfig', `GET ${MEDIA}/config`, ({ success }) => {
    success('says how large a file may be', async (server) => {
      const alice = await server.user('alice')
      expect(await alice.ok('GET', `${MEDIA}/config`)).toEqual(await alice.ok('GET', `${AUTHED}/config`))
      expect((await alice.ok('GET', `${MEDIA}/config`))['m.upload.size']).toBeGreaterThan(1_000_000)
    })
  })
  for (const [id, path] of [
    ['getContent', `${MEDIA}/download/{serverName}/{mediaId}`],
    ['getContentOverrideName', `${MEDIA}/download/{serverName}/{mediaId}/{fileName}`],
    ['getContentThumbnail', `${MEDIA}/thumbnail/{serverName}/{mediaId}`],
  ] as const) {
    operation(
      id,
      `GET ${path}`,
      ({ authorisation }) => {
        authorisation('gives what was uploaded since v1.11 to nobody without a token', async (server) => {
          const alice = await server.user('alice')
          const media = await upload(alice, await picture('red'), 'image/png')
          const [serverName, mediaId] = media.split('/')
          const at = path
            .replace('{serverName}', serverName!)
            .replace('{mediaId}', mediaId!)
            .replace('{fileName}', 'x.png')
          const answer = await call(server.url, 'GET', at, { query: { width: 32, height: 32 } })
          expect([answer.status, answer.body.errcode]).toEqual([404, 'M_NOT_FOUND'])
        })
      },
      { auth: 'none' },
    )
  }
})
