import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from '@jest/globals'
import { manualClock, systemClock } from '../../platform/clock.js'
import { silentLogger } from '../../platform/logger.js'
import { createAddressPolicy } from '../federation/address-policy.js'
import { createConnections } from '../federation/connections.js'
import { createOutboundHttp } from '../federation/outbound-http.js'
import { ALICE, openMediaBench } from '../media/testing.js'
import { createUrlFetcher } from './fetch-url.js'
import { createPreviews } from './previews.js'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

type Handler = (request: IncomingMessage, response: ServerResponse) => void

async function page(handler: Handler): Promise<{ url: string; port: number; asked: string[] }> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    handler(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/`, port, asked }
}

const html =
  (body: string, type = 'text/html; charset=utf-8'): Handler =>
  (_, response) =>
    response.writeHead(200, { 'content-type': type }).end(body)

async function open(
  more: { allowed?: string[]; deny?: string[]; allow?: string[]; timeoutMs?: number; enabled?: boolean } = {},
) {
  const bench = await openMediaBench()
  const connections = createConnections({
    policy: createAddressPolicy({ allowed: more.allowed ?? ['127.0.0.1/32'] }),
    connectTimeoutMs: 1_000,
  })
  closers.push(
    () => connections.close(),
    () => bench.close(),
  )
  const clock = manualClock(1_700_000_000_000)
  const monotonic = (): number => systemClock.monotonic()
  const fetcher = createUrlFetcher({
    http: createOutboundHttp({ connections, userAgent: 'test', now: monotonic }),
    rules: { allow: more.allow, deny: more.deny ?? [] },
    timeoutMs: more.timeoutMs ?? 2_000,
    monotonic,
  })
  const previews = createPreviews({
    store: bench.store,
    clock,
    logger: silentLogger,
    media: bench.media,
    fetcher,
    options: { enabled: more.enabled ?? true, maxImageBytes: 1_000, cacheMs: 60_000 },
  })
  return {
    bench,
    clock,
    previews,
    get: (url: string, ts?: number): Promise<Record<string, unknown>> => previews.preview(ALICE, url, ts),
  }
}

const noPreview = { errcode: 'M_UNKNOWN', status: 502 }

describe('a preview', () => {
  it('says what the page says of itself, with its picture as a medium of this server', async () => {
    const png = Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\x17\0\0\0\x81', 'latin1')
    const site = await page(
      (request, response) =>
      request.url === '/p.png'
        ? response.writeHead(200, { 'content-type': 'image/png' }).end(png)
        : html('<head><title>T</title><meta property="og:title" content="Tea &amp; more"><meta property="og:image" content="/p.png">')(request, response), // prettier-ignore
    )
    const { get, bench, previews, clock } = await open()
    const preview = await get(site.url)
    expect(preview).toEqual({
      'og:title': 'Tea & more',
      'og:image': expect.stringMatching(/^mxc:\/\/ministry\.example\/\w+$/),
      'og:image:type': 'image/png',
      'matrix:image:size': png.length,
      'og:image:width': 279,
      'og:image:height': 129,
    })
    const access = { by: 'user', allowRemote: false, timeoutMs: 0 } as const
    const mediaId = (preview['og:image'] as string).split('/').at(-1)!
    const file = await bench.media.download('ministry.example', mediaId, access)
    expect([file.size, file.contentType]).toEqual([png.length, 'image/png'])
    // Long after, both are forgotten.
    clock.advance(31 * 86_400_000)
    expect(await previews.prune()).toBe(1)
    await expect(bench.media.download('ministry.example', mediaId, access)).rejects.toMatchObject({
      errcode: 'M_NOT_FOUND',
    })
  })

  it('is kept, made once for all who ask at once, and preferably as it was when it was spoken of', async () => {
    let count = 0
    const site = await page((request, response) => html(`<title>v${++count}</title>`)(request, response))
    const { get, clock } = await open()
    const first = clock.now()
    const all = await Promise.all(Array.from({ length: 20 }, () => get(site.url)))
    expect(new Set(all.map((item) => item['og:title']))).toEqual(new Set(['v1']))
    clock.advance(59_000)
    expect(await get(`${site.url}#part`)).toEqual({ 'og:title': 'v1' })
    clock.advance(2_000)
    expect(await get(site.url)).toEqual({ 'og:title': 'v2' })
    expect(await get(site.url, first + 5)).toEqual({ 'og:title': 'v1' })
    expect(await get(site.url, first - 5)).toEqual({ 'og:title': 'v2' })
    expect(site.asked).toHaveLength(2)
  })

  it('of a picture is the picture; of a picture too large, of SVG and of other files there is nothing to see', async () => {
    const site = await page((request, response) => {
      const type = request.url === '/svg' ? 'image/svg+xml' : request.url === '/zip' ? 'application/zip' : 'image/gif'
      response.writeHead(200, { 'content-type': type }).end(Buffer.alloc(request.url === '/large' ? 1_001 : 10))
    }) // prettier-ignore
    const { get, bench } = await open()
    expect(await get(`${site.url}gif`)).toMatchObject({
      'og:image:type': 'image/gif',
      'matrix:image:size': 10,
    })
    for (const path of ['svg', 'zip', 'large']) expect(await get(site.url + path)).toEqual({})
    expect((await bench.files()).blobs).toHaveLength(1)
  })

  it('follows redirects, each by the rules', async () => {
    const site = await page((request, response) => {
      const step = Number(request.url!.slice(1))
      if (step === 0) html('<title>there</title>')(request, response)
      else response.writeHead(302, { location: `/${step - 1}` }).end()
    })
    const { get } = await open()
    expect(await get(`${site.url}5`)).toEqual({ 'og:title': 'there' })
    await expect(get(`${site.url}6`)).rejects.toMatchObject(noPreview)
  })
})

describe('what is not asked', () => {
  it('is anything while previews are off', async () => {
    const { get } = await open({ enabled: false })
    await expect(get('https://example.com/')).rejects.toMatchObject({ errcode: 'M_UNRECOGNIZED' })
  })

  it.each(['file:///etc/passwd', 'gopher://127.0.0.1/', 'data:text/html,x', 'http://u:p@127.0.0.1/'])(
    '%s',
    async (url) => {
      const { get } = await open()
      await expect(get(url)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
    },
  )

  it('is what is no address, or too long a one', async () => {
    const { get } = await open()
    for (const url of ['', '//x', 'x', `https://example.com/${'x'.repeat(3_000)}`])
      await expect(get(url)).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' })
  })

  it('is a host that is denied, or not allowed, also by redirect and for the picture', async () => {
    const hidden = await page(html('<title>hidden</title>'))
    const other = hidden.url.replace('127.0.0.1', 'localhost')
    const site = await page((request, response) =>
      request.url === '/go'
        ? response.writeHead(302, { location: other }).end()
        : html(`<meta property="og:image" content="${other}">`)(request, response),
    )
    for (const rules of [{ deny: ['local*'] }, { allow: ['127.0.0.*'] }]) {
      const { get } = await open({ ...rules, allowed: ['127.0.0.0/8', '::1/128'] })
      await expect(get(other)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
      await expect(get(`${site.url}go`)).rejects.toMatchObject(noPreview)
      expect(await get(site.url)).toEqual({})
    }
    expect(hidden.asked).toEqual([])
  })

  it('is an internal address, however it is written, and nobody learns whether something is there', async () => {
    const inside = await page(html('<title>inside</title>'))
    const { get } = await open({ allowed: [] })
    for (const host of [
      '127.0.0.1',
      'localhost',
      '2130706433',
      '0x7f.1',
      '0.0.0.0',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '[64:ff9b::7f00:1]',
      '[2002:7f00:1::]',
      '10.0.0.1',
      '169.254.169.254',
    ])
      // prettier-ignore
      await expect(get(`http://${host}:${inside.port}/`)).rejects.toMatchObject(noPreview)
    expect(inside.asked).toEqual([])
  })

  it('is an internal address that an outer one redirects to, or takes its picture from', async () => {
    const inside = await page(html('<title>inside</title>'))
    const local = inside.url.replace('127.0.0.1', '127.0.0.2')
    const site = await page((request, response) =>
      request.url === '/go'
        ? response.writeHead(307, { location: `http://[::ffff:127.0.0.2]:${inside.port}/` }).end()
        : html(`<title>t</title><meta property="og:image" content="${local}">`)(request, response),
    )
    const { get } = await open()
    await expect(get(`${site.url}go`)).rejects.toMatchObject(noPreview)
    expect(await get(site.url)).toEqual({ 'og:title': 't' })
    expect(inside.asked).toEqual([])
  })
})

describe('a server that means harm', () => {
  it('may send without end, and only the beginning is read', async () => {
    const site = await page((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' })
      response.write('<title>endless</title>')
      const more = (): void => {
        while (response.write('x'.repeat(65_536)));
      }
      response.on('drain', more)
      more()
    })
    const { get } = await open()
    expect(await get(site.url)).toEqual({ 'og:title': 'endless' })
  })

  it('may drip, fail, or pack its answer, and gets no second try for a while', async () => {
    const site = await page((request, response) => {
      if (request.url === '/packed')
        response.writeHead(200, { 'content-type': 'text/html', 'content-encoding': 'gzip' }).end('x')
      else if (request.url === '/error') response.writeHead(500).end()
      else if (request.url === '/cut') response.destroy()
      else {
        response.writeHead(200, { 'content-type': 'text/html' })
        const drip = setInterval(() => response.write(' '), 50)
        response.on('close', () => clearInterval(drip))
      }
    })
    const { get, clock } = await open({ timeoutMs: 400 })
    for (const path of ['packed', 'error', 'cut', 'drip'])
      for (let i = 0; i < 2; i++) await expect(get(site.url + path)).rejects.toMatchObject(noPreview)
    expect(site.asked).toHaveLength(4)
    clock.advance(301_000)
    await expect(get(`${site.url}error`)).rejects.toMatchObject(noPreview)
    expect(site.asked).toHaveLength(5)
  })
})
