import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from '@jest/globals'
import { systemClock } from '../../platform/clock.js'
import type { ConnectionsOptions } from './connections.js'
import { startTestServer, testAuthority, testConnections } from './testing-https-server.js'
import { createOutboundHttp } from './outbound-http.js'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

function client(options: Partial<ConnectionsOptions> = {}) {
  const connections = testConnections(options)
  closers.push(() => connections.close())
  return createOutboundHttp({ connections, userAgent: 'test', now: () => systemClock.monotonic() })
}

async function plainServer(handler: RequestListener): Promise<{ url: string; count: () => number }> {
  let count = 0
  const server = createServer((request, response) => {
    count++
    handler(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return { url: `http://plain.example:${(server.address() as AddressInfo).port}/`, count: () => count }
}

const limits = { timeoutMs: 2_000, maxBytes: 1_000 }

describe('outbound HTTP', () => {
  it('speaks plain HTTP only where it may, and never after https', async () => {
    const plain = await plainServer((_, response) => response.end('plain'))
    const secure = await startTestServer(['s.example'], (_, response) =>
      response.writeHead(302, { location: plain.url }).end(),
    )
    closers.push(() => secure.close())
    const http = client()
    const allowed = await http.request({ ...limits, url: plain.url, allowHttp: true })
    expect([allowed.status, Buffer.from(allowed.body).toString()]).toEqual([200, 'plain'])
    await expect(http.request({ ...limits, url: plain.url })).rejects.toMatchObject({ kind: 'bad-response' })
    const url = `https://s.example:${secure.port}/`
    await expect(http.request({ ...limits, url, allowHttp: true, maxRedirects: 5 })).rejects.toMatchObject({
      kind: 'bad-response',
    })
    expect(plain.count()).toBe(1)
    expect((await http.request({ ...limits, url })).status).toBe(302)
  })

  it('trusts the authority of one server at its address alone, and nowhere that it redirects to', async () => {
    const end = await startTestServer(['end.example'], (_, response) => response.end('end'))
    const start = await startTestServer(['s.example'], (_, response) =>
      response.writeHead(302, { location: `https://end.example:${end.port}/` }).end(),
    )
    closers.push(
      () => start.close(),
      () => end.close(),
    )
    const trust = { ca: [testAuthority.certificate], pins: [] }
    const http = client({ extraCa: [], trustOf: (name) => (name === 's.example' ? trust : undefined) })
    const url = `https://s.example:${start.port}/`
    expect((await http.request({ ...limits, url, peer: 's.example' })).status).toBe(302)
    const untrusted = { kind: 'unreachable' }
    await expect(http.request({ ...limits, url })).rejects.toMatchObject(untrusted)
    await expect(http.request({ ...limits, url, peer: 'end.example' })).rejects.toMatchObject(untrusted)
    await expect(http.request({ ...limits, url, peer: 's.example', maxRedirects: 5 })).rejects.toMatchObject(
      untrusted,
    )
    expect(end.seen).toEqual([])
  })

  it('does not follow the redirect of a POST', async () => {
    const plain = await plainServer((_, response) => response.writeHead(307, { location: '/again' }).end())
    const answer = await client().request({
      ...limits,
      url: plain.url,
      allowHttp: true,
      method: 'POST',
      body: '{}',
      maxRedirects: 5,
    })
    expect([answer.status, plain.count()]).toEqual([307, 1])
  })

  it('streams, follows within one limit of time, and reports where it ended', async () => {
    const plain = await plainServer((request, response) => {
      if (request.url === '/') response.writeHead(302, { location: '/end?a#b' }).end()
      else response.end('streamed')
    })
    const answer = await client().stream({ ...limits, url: plain.url, allowHttp: true, maxRedirects: 1 })
    expect(answer.url).toBe(`${plain.url}end?a`)
    const chunks: Uint8Array[] = []
    for await (const chunk of answer.body) chunks.push(chunk as Uint8Array)
    expect(Buffer.concat(chunks).toString()).toBe('streamed')
    const slow = await plainServer(
      (_, response) =>
        void setTimeout(() => response.writeHead(302, { location: `/${Math.random()}` }).end(), 200),
    )
    // A limit for each of the redirects would let all fifty of them happen, and another error come.
    await expect(
      client().request({ ...limits, url: slow.url, allowHttp: true, maxRedirects: 50, timeoutMs: 500 }),
    ).rejects.toMatchObject({ kind: 'timeout' })
  })

  it.each([
    ['a file', 'file:///etc/passwd'],
    ['gopher', 'gopher://a/'],
    ['data', 'data:,x'],
    ['credentials', 'https://a:b@s.example/'],
    ['port 0', 'https://s.example:0/'],
    ['nothing', ''],
    ['a URL of 9,000 characters', `https://s.example/${'x'.repeat(9_000)}`],
    ['a relative URL', '//s.example'],
  ])('refuses %s', async (_, url) => {
    await expect(client().request({ ...limits, url, allowHttp: true })).rejects.toMatchObject({
      kind: 'bad-response',
    })
  })
})
