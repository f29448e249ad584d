import { createServer, request as httpRequest, type IncomingHttpHeaders, type Server } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from '@jest/globals'
import { until } from '../../platform/testing-until.js'
import { MatrixError } from '../../core/errors.js'
import { manualClock } from '../../platform/clock.js'
import { silentLogger } from '../../platform/logger.js'
import type { Requester } from '../../services/requester.js'
import type { Services } from '../../services/services.js'
import { readMediaParts } from '../../services/media/multipart-reader.js'
import { openMediaBench, remoteParts, type MediaBenchOptions } from '../../services/media/testing.js'
import { createApp } from '../app.js'
import { createRateLimiter } from '../rate-limit.js'
import { federationMediaRoutes, mediaRoutes } from './routes.js'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const requester = (userId: string, isGuest = false): Requester => ({
  userId,
  deviceId: 'D',
  isGuest,
  isAdmin: false,
  isSuspended: false,
  appserviceId: undefined,
})

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly json: Record<string, unknown>
}

async function start(options: MediaBenchOptions = {}) {
  const bench = await openMediaBench(options)
  closers.push(() => bench.close())
  const clock = manualClock()
  const app = createApp({
    routes: [...mediaRoutes, ...federationMediaRoutes],
    services: { media: bench.media } as Services,
    logger: silentLogger,
    clock,
    rateLimiter: createRateLimiter({}, clock),
    trustedProxies: [],
    stopping: new AbortController().signal,
    authenticate: (token) =>
      ['alice', 'bob', 'guest'].includes(token)
        ? Promise.resolve(requester(`@${token}:ministry.example`, token === 'guest'))
        : Promise.reject(new MatrixError('M_UNKNOWN_TOKEN', 'Unknown token')),
    authenticateServer: ({ authorization }) =>
      [authorization].flat().includes('X-Matrix good')
        ? Promise.resolve('other.example')
        : Promise.reject(new MatrixError('M_UNAUTHORIZED', 'Not signed')),
    admitServer: () => undefined,
  })
  const server: Server = createServer((request, response) => void app.callback()(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve)
        server.closeAllConnections()
      }),
  )
  const { port } = server.address() as AddressInfo

  /** Sends the path as it is, which `fetch` would tidy up. */
  function call(
    method: string,
    path: string,
    more: { headers?: Record<string, string>; body?: Uint8Array | string; token?: string } = {},
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const authorization = more.token === undefined ? {} : { Authorization: `Bearer ${more.token}` }
      const sent = httpRequest(
        { port, host: '127.0.0.1', method, path, headers: { ...authorization, ...more.headers } },
        (answer) => {
          const chunks: Buffer[] = []
          answer.on('data', (chunk: Buffer) => chunks.push(chunk))
          answer.on('error', reject)
          answer.on('end', () => {
            const text = Buffer.concat(chunks).toString('latin1')
            const isJson = answer.headers['content-type']?.startsWith('application/json') === true
            resolve({
              status: answer.statusCode!,
              headers: answer.headers,
              text,
              json: (isJson && text !== '' ? JSON.parse(text) : {}) as Record<string, unknown>,
            })
          })
        },
      )
      sent.on('error', reject)
      sent.end(more.body)
    })
  }

  async function upload(body: string, type = 'image/png', query = ''): Promise<string> {
    const answer = await call('POST', `/_matrix/media/v3/upload${query}`, {
      token: 'alice',
      headers: { 'Content-Type': type },
      body,
    })
    expect(answer.status).toBe(200)
    return (answer.json['content_uri'] as string).slice('mxc://'.length)
  }

  return { ...bench, call, upload, port }
}

const V1 = '/_matrix/client/v1/media'

describe('POST /_matrix/media/v3/upload', () => {
  it('gives the URI under which it is downloaded, with what a browser needs to be safe', async () => {
    const { call, upload } = await start()
    const mxc = await upload('hello', 'text/plain', '?filename=h%C3%A9.txt')
    expect(mxc).toMatch(/^ministry\.example\/[A-Za-z0-9]+$/)
    const answer = await call('GET', `${V1}/download/${mxc}`, { token: 'bob' })
    expect(answer).toMatchObject({ status: 200, text: 'hello' })
    expect(answer.headers).toMatchObject({
      'content-type': 'text/plain',
      'content-length': '5',
      'content-disposition': "inline; filename*=utf-8''h%C3%A9.txt",
      'content-security-policy':
        "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; style-src 'unsafe-inline'; object-src 'self';",
      'x-content-type-options': 'nosniff',
      'cross-origin-resource-policy': 'cross-origin',
      'cache-control': 'private, max-age=31536000, immutable',
      'access-control-allow-origin': '*',
    })
  })

  it('needs a user: no token is 401, a guest 403', async () => {
    const { call } = await start()
    const post = (token?: string) =>
      call('POST', '/_matrix/media/v3/upload', { ...(token === undefined ? {} : { token }), body: 'x' })
    expect(await post()).toMatchObject({ status: 401, json: { errcode: 'M_MISSING_TOKEN' } })
    expect(await post('nobody')).toMatchObject({ status: 401, json: { errcode: 'M_UNKNOWN_TOKEN' } })
    expect(await post('guest')).toMatchObject({ status: 403 })
  })

  it('works under the old names, without a length, without a type, and empty', async () => {
    const { call } = await start()
    for (const release of ['v3', 'r0', 'v1']) {
      const headers = { 'Transfer-Encoding': 'chunked' }
      const sent = await call('POST', `/_matrix/media/${release}/upload`, {
        token: 'alice',
        headers,
        body: 'x',
      })
      const mxc = (sent.json['content_uri'] as string).slice(6)
      const got = await call('GET', `${V1}/download/${mxc}`, { token: 'alice' })
      expect(got.headers['content-type']).toBe('application/octet-stream')
      expect(got.headers['content-disposition']).toBe('attachment')
    }
    const empty = await call('POST', '/_matrix/media/v3/upload', { token: 'alice' })
    const got = await call('GET', `${V1}/download/${(empty.json['content_uri'] as string).slice(6)}`, { token: 'alice' }) // prettier-ignore
    expect(got).toMatchObject({ status: 200, text: '', headers: { 'content-length': '0' } })
  })

  it('that is too large is told so while the client still sends', async () => {
    const { call, port, files } = await start()
    const declared = await call('POST', '/_matrix/media/v3/upload', {
      token: 'alice',
      body: Buffer.alloc(100_001),
    })
    expect(declared).toMatchObject({ status: 413, json: { errcode: 'M_TOO_LARGE' } })

    // A body without end: the answer has to come in the middle of it.
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write(
      'POST /_matrix/media/v3/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer alice\r\nTransfer-Encoding: chunked\r\n\r\n',
    )
    const chunk = Buffer.concat([Buffer.from('2710\r\n'), Buffer.alloc(10_000), Buffer.from('\r\n')])
    const sending = setInterval(() => socket.writable && socket.write(chunk), 2)
    const answer = await new Promise<string>((resolve) => {
      let text = ''
      socket.on('data', (data: Buffer) => {
        text += data.toString('latin1')
        if (text.includes('M_TOO_LARGE')) resolve(text)
      })
      socket.on('close', () => resolve(text))
    })
    clearInterval(sending)
    socket.destroy()
    expect(answer).toMatch(/^HTTP\/1\.1 413 /)
    expect(answer).toContain('M_TOO_LARGE')
    expect(await files()).toMatchObject({ blobs: [], tmp: [] })
  })

  it('in an encoding is refused, since other bytes than the client’s would be kept', async () => {
    const { call } = await start()
    const headers = { 'Content-Encoding': 'gzip' }
    const answer = await call('POST', '/_matrix/media/v3/upload', { token: 'alice', headers, body: 'x' })
    expect(answer.status).toBe(415)
  })

  it('whose client hangs up leaves nothing', async () => {
    const { port, files } = await start()
    const socket = connect(port, '127.0.0.1')
    socket.write(
      'POST /_matrix/media/v3/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer alice\r\nContent-Length: 5000\r\n\r\nhalf',
    )
    await until(async () => (await files()).tmp.length > 0)
    socket.destroy()
    await until(async () => (await files()).tmp.length === 0)
    expect((await files()).blobs).toEqual([])
  })
})

describe('POST /_matrix/media/v1/create and PUT /_matrix/media/v3/upload', () => {
  it('announce a URI and fill it, once, by the same user', async () => {
    const { call } = await start()
    const created = await call('POST', '/_matrix/media/v1/create', { token: 'alice' })
    expect(created.json['unused_expires_at']).toEqual(expect.any(Number))
    const mxc = (created.json['content_uri'] as string).slice(6)
    const early = await call('GET', `${V1}/download/${mxc}?timeout_ms=0`, { token: 'bob' })
    expect(early).toMatchObject({ status: 504, json: { errcode: 'M_NOT_YET_UPLOADED' } })
    const put = (token: string) =>
      call('PUT', `/_matrix/media/v3/upload/${mxc}`, { token, body: 'late', headers: { 'Content-Type': 'image/gif' } }) // prettier-ignore
    expect(await put('bob')).toMatchObject({ status: 403, json: { errcode: 'M_FORBIDDEN' } })
    const waiting = call('GET', `${V1}/download/${mxc}`, { token: 'bob' })
    expect(await put('alice')).toMatchObject({ status: 200, json: {} })
    expect(await waiting).toMatchObject({ status: 200, text: 'late' })
    expect(await put('alice')).toMatchObject({ status: 409, json: { errcode: 'M_CANNOT_OVERWRITE_MEDIA' } })
  })
})

describe('a download', () => {
  it.each([
    ['TEXT/HTML', '<script>alert(1)</script>'],
    ['text/html; x=image/png', '<script>'],
    ['image/svg+xml', '<svg onload="alert(1)"/>'],
    ['application/xhtml+xml', '<html/>'],
  ])('of %s is an attachment', async (type, body) => {
    const { call, upload } = await start()
    const answer = await call('GET', `${V1}/download/${await upload(body, type)}`, { token: 'alice' })
    expect(answer.headers).toMatchObject({ 'content-disposition': 'attachment', 'content-type': type })
  })

  it('of HTML that calls itself a picture is a picture', async () => {
    const { call, upload } = await start()
    const mxc = await upload('<html><script>', 'image/png', '?filename=x.html')
    const answer = await call('GET', `${V1}/download/${mxc}`, { token: 'alice' })
    expect(answer.headers).toMatchObject({ 'content-type': 'image/png', 'x-content-type-options': 'nosniff' })
  })

  it('under another name has that name', async () => {
    const { call, upload } = await start()
    const mxc = await upload('x', 'image/png', '?filename=own.png')
    for (const [path, disposition] of [
      ['other.png', 'inline; filename=other.png'],
      ['a%0D%0ASet-Cookie:%20x', 'inline; filename="aSet-Cookie: x"'],
      ['%22%3B%20x%3Dy', 'inline; filename="\\"; x=y"'],
      ['a%2Fb.png', 'inline; filename="a/b.png"'],
    ]) {
      const answer = await call('GET', `${V1}/download/${mxc}/${path}`, { token: 'alice' })
      expect(answer.headers['content-disposition']).toBe(disposition)
      expect(answer.headers['set-cookie']).toBeUndefined()
    }
  })

  it('of a part gives that part, and nothing to whoever has it all', async () => {
    const { call, upload } = await start()
    const path = `${V1}/download/${await upload('0123456789')}`
    const part = await call('GET', path, { token: 'alice', headers: { Range: 'bytes=2-4' } })
    expect(part).toMatchObject({ status: 206, text: '234' })
    expect(part.headers).toMatchObject({ 'content-range': 'bytes 2-4/10', 'content-length': '3' })
    const beyond = await call('GET', path, { token: 'alice', headers: { Range: 'bytes=10-' } })
    expect(beyond).toMatchObject({ status: 416, headers: { 'content-range': 'bytes */10' } })
    const again = await call('GET', path, {
      token: 'alice',
      headers: { 'If-None-Match': part.headers.etag! },
    })
    expect(again).toMatchObject({ status: 304, text: '' })
    const head = await call('HEAD', path, { token: 'alice' })
    expect(head).toMatchObject({ status: 200, text: '', headers: { 'content-length': '10' } })
  })

  it.each([
    '..%2f..%2fetc/passwd',
    'ministry.example/..%2f..%2fx',
    'ministry.example/%00',
    'ministry.example/a%2Fb',
    'ministry.example/%ff',
    'evil.com%2f..%2f/abc',
    '%5B::1%5D:99999/abc',
  ])('of %s is 400 or 404', async (name) => {
    const { call, asked } = await start({ legacyUnauthenticated: 'on' })
    for (const path of [`${V1}/download/${name}`, `/_matrix/media/v3/download/${name}`]) {
      const answer = await call('GET', path, { token: 'alice' })
      expect([400, 404]).toContain(answer.status)
      expect(answer.json['errcode']).toMatch(/^M_/)
    }
    expect(asked).toEqual([])
  })
})

describe('a thumbnail', () => {
  it('is shown in place, and made of own and of other servers’ pictures', async () => {
    const { call, upload } = await start({ fetchRemote: async () => remoteParts('far') })
    for (const mxc of [await upload('x'), 'other.example/abc']) {
      const answer = await call('GET', `${V1}/thumbnail/${mxc}?width=30&height=30&method=crop`, { token: 'guest' }) // prettier-ignore
      expect(answer).toMatchObject({ status: 200, text: '32x32 crop' })
      expect(answer.headers).toMatchObject({
        'content-type': 'image/png',
        'content-disposition': 'inline; filename=thumbnail.png',
        'x-content-type-options': 'nosniff',
      })
    }
  })

  it.each([
    ['', 'M_MISSING_PARAM'],
    ['?width=32', 'M_MISSING_PARAM'],
    ['?width=0&height=32', 'M_INVALID_PARAM'],
    ['?width=32&height=-1', 'M_INVALID_PARAM'],
    ['?width=1000000000&height=32', 'M_INVALID_PARAM'],
    ['?width=NaN&height=32', 'M_INVALID_PARAM'],
    ['?width=1.5&height=32', 'M_INVALID_PARAM'],
    ['?width=32&height=32&method=explode', 'M_INVALID_PARAM'],
    ['?width=32&height=32&animated=maybe', 'M_INVALID_PARAM'],
    ['?width=32&height=32&timeout_ms=-1', 'M_INVALID_PARAM'],
  ])('with %j is 400 %s', async (query, errcode) => {
    const { call, upload } = await start({ legacyUnauthenticated: 'on' })
    const mxc = await upload('x')
    for (const path of [`${V1}/thumbnail/${mxc}`, `/_matrix/media/v3/thumbnail/${mxc}`]) {
      expect(await call('GET', path + query, { token: 'alice' })).toMatchObject({
        status: 400,
        json: { errcode },
      })
    }
  })
})

describe('a thumbnail of no size', () => {
  it.each(['width=0&height=0', 'width=-1&height=32', 'width=32&height=-9007199254740993'])(
    'with %s is 400, of media that is not there too',
    async (query) => {
      const { call } = await start({ legacyUnauthenticated: 'on' })
      for (const path of [
        `${V1}/thumbnail/ours.example/none`,
        '/_matrix/media/v3/thumbnail/ours.example/none',
      ])
        expect(await call('GET', `${path}?${query}`, { token: 'alice' })).toMatchObject({
          status: 400,
          json: { errcode: 'M_INVALID_PARAM' },
        })
    },
  )
})

describe('without a token', () => {
  it('the newer endpoints are 401', async () => {
    const { call, upload, asked } = await start({ legacyUnauthenticated: 'on' })
    const own = await upload('x')
    for (const mxc of [own, 'other.example/abc']) {
      for (const path of [
        `download/${mxc}`,
        `download/${mxc}/name`,
        `thumbnail/${mxc}?width=1&height=1`,
        'config',
      ]) {
        expect(await call('GET', `${V1}/${path}`)).toMatchObject({
          status: 401,
          json: { errcode: 'M_MISSING_TOKEN' },
        })
      }
    }
    expect(asked).toEqual([])
  })

  it('the older ones are 404 unless configured, and never fetch', async () => {
    for (const [legacyUnauthenticated, status] of [
      ['off', 404],
      ['local-only', 200],
      ['on', 200],
    ] as const) {
      const { call, upload, asked } = await start({ legacyUnauthenticated })
      const own = await upload('x')
      for (const release of ['v3', 'r0', 'v1']) {
        const old = `/_matrix/media/${release}`
        for (const path of [`download/${own}`, `download/${own}/n`, `thumbnail/${own}?width=1&height=1`]) {
          const answer = await call('GET', `${old}/${path}`)
          expect(answer.status).toBe(status)
          if (status === 200) expect(answer.headers['cache-control']).toMatch(/^public/)
        }
        for (const path of [
          'download/other.example/a',
          'thumbnail/other.example/a?width=1&height=1&allow_remote=true',
        ]) {
          expect(await call('GET', `${old}/${path}`)).toMatchObject({ status: 404 })
        }
      }
      expect(asked).toEqual([])
    }
  })

  it('a token on an older endpoint counts, unless allow_remote forbids', async () => {
    const { call } = await start({ fetchRemote: async () => remoteParts('far') })
    const path = '/_matrix/media/v3/download/other.example/abc'
    expect(await call('GET', `${path}?allow_remote=false`, { token: 'alice' })).toMatchObject({ status: 404 })
    expect(await call('GET', path, { token: 'alice' })).toMatchObject({ status: 200, text: 'far' })
    expect(await call('GET', path)).toMatchObject({ status: 404 })
  })
})

describe('the configuration', () => {
  it('tells the largest upload', async () => {
    const { call } = await start()
    for (const path of [`${V1}/config`, '/_matrix/media/v3/config', '/_matrix/media/r0/config']) {
      expect((await call('GET', path, { token: 'alice' })).json).toEqual({ 'm.upload.size': 100_000 })
    }
  })
})

describe('between servers', () => {
  const signed = { headers: { Authorization: 'X-Matrix good' } }
  const FEDERATION = '/_matrix/federation/v1/media'

  it('media and thumbnails travel in two parts that we can read ourselves', async () => {
    const { call, upload } = await start()
    const [, id] = (await upload('\r\n--x\r\n bytes', 'image/png', '?filename=a.png')).split('/')
    for (const [path, text, name] of [
      [`download/${id}`, '\r\n--x\r\n bytes', 'a.png'],
      [`thumbnail/${id}?width=32&height=32&method=crop`, '32x32 crop', 'thumbnail.png'],
    ]) {
      const answer = await call('GET', `${FEDERATION}/${path}`, signed)
      expect(answer.status).toBe(200)
      expect(answer.headers['content-length']).toBe(String(answer.text.length))
      async function* body() {
        yield Buffer.from(answer.text, 'latin1')
      }
      const part = await readMediaParts(answer.headers['content-type'], body())
      expect(Object.fromEntries(part.headers)).toEqual({
        'content-type': 'image/png',
        'content-disposition': `inline; filename=${name}`,
      })
      const chunks: Uint8Array[] = []
      for await (const chunk of part.content) chunks.push(chunk)
      expect(Buffer.concat(chunks).toString('latin1')).toBe(text)
    }
  })

  it('need a signature, and are given what is this server’s', async () => {
    const { call, asked } = await start()
    expect((await call('GET', `${FEDERATION}/download/abc`)).status).toBe(401)
    expect(await call('GET', `${FEDERATION}/download/abc`, signed)).toMatchObject({
      status: 404,
      json: { errcode: 'M_NOT_FOUND' },
    })
    expect(await call('GET', `${FEDERATION}/download/..%2fx`, signed)).toMatchObject({ status: 400 })
    expect(asked).toEqual([])
  })
})
