import { createHash } from 'node:crypto'
import { createServer, type AddressInfo } from 'node:net'
import type { RequestListener } from 'node:http'
import { connect as tlsConnect } from 'node:tls'
import { afterEach, describe, expect, it } from '@jest/globals'
import { until } from '../../platform/testing-until.js'
import { createAuthority } from '../../platform/certificate.js'
import { systemClock } from '../../platform/clock.js'
import { createSigner, generateSigningKey, publicKey, verifySignature } from '../../platform/ed25519.js'
import { systemRandom } from '../../platform/random.js'
import { createAddressPolicy, guardedLookup } from './address-policy.js'
import { createFederationClient, encodePath, FederationError, isRetryable } from './client.js'
import type { ConnectionsOptions, PeerTrust } from './connections.js'
import type { Candidate } from './discovery.js'
import { startTestServer, testAuthority, testConnections, type TestServer } from './testing-https-server.js'
import { parseXMatrix, requestBytes } from './x-matrix.js'

const signer = createSigner(generateSigningKey(systemRandom))
const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function server(handler: RequestListener, hosts = ['sante.example']): Promise<TestServer> {
  const started = await startTestServer(hosts, handler)
  closers.push(() => started.close())
  return started
}

const at = (port: number, host = 'sante.example', name = 'sante.example'): Candidate => ({
  host,
  port,
  hostHeader: name,
  tlsServerName: name,
})

function clientFor(candidates: Candidate[], options: Partial<ConnectionsOptions> = {}) {
  const connections = testConnections(options)
  closers.push(() => connections.close())
  return createFederationClient({
    serverName: 'finances.example',
    signer,
    discovery: { resolve: () => Promise.resolve(candidates) },
    connections,
    clock: systemClock,
    userAgent: 'test/1',
    federates: (name) => name !== 'denied.example',
  })
}

/** Whom to expect at one server alone. */
const only =
  (server: string, trust: PeerTrust) =>
  (name: string): PeerTrust | undefined =>
    name === server ? trust : undefined

const get = { destination: 'sante.example', method: 'GET', path: '/_matrix/federation/v1/version' } as const
const failure = (promise: Promise<unknown>): Promise<FederationError> =>
  promise.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: unknown) => {
      expect(error).toBeInstanceOf(FederationError)
      return error as FederationError
    },
  )

describe('closing', () => {
  it('does not wait for a peer that never ends its answer', async () => {
    const { port, seen } = await server((_req, res) => {
      res.writeHead(200, { 'content-type': 'application/json' })
      const drip = setInterval(() => res.write(' '), 50)
      res.once('close', () => clearInterval(drip))
    })
    const connections = testConnections({ closeGraceMs: 200 })
    const client = createFederationClient({
      serverName: 'finances.example',
      signer,
      discovery: { resolve: () => Promise.resolve([at(port)]) },
      connections,
      clock: systemClock,
      userAgent: 'test/1',
    })
    const request = failure(client.request(get))
    await until(() => seen.length === 1)
    // Were they waited for, this would never end.
    await connections.close()
    await request
    await failure(client.request(get))
  })
})

describe('a federation request', () => {
  it('is signed over exactly what arrives, with the Host header and SNI of the server name', async () => {
    let verified = false
    const peer = await server((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const { origin, destination, signature } = parseXMatrix(request.headers.authorization!)!
        const content = JSON.parse(Buffer.concat(chunks).toString()) as never
        const bytes = requestBytes({
          method: request.method!,
          uri: request.url!,
          origin,
          destination: destination!,
          content,
        })
        verified = verifySignature(publicKey(signer.publicKey)!, bytes!, signature)
        response.end('{"ok":1,"__proto__":{"x":1}}')
      })
    })
    const answer = await clientFor([at(peer.port)]).request({
      ...get,
      method: 'PUT',
      path: encodePath('/_matrix/federation/v1/send', 'a/b?c#d é'),
      query: { v: ['1', '2 3'], left: undefined, limit: 5 },
      body: { pdus: ['é'], a: 1 },
    })
    expect(verified).toBe(true)
    expect(Object.keys(answer)).toEqual(['ok', '__proto__'])
    expect(peer.seen).toEqual([
      {
        host: 'sante.example',
        sni: 'sante.example',
        url: '/_matrix/federation/v1/send/a%2Fb%3Fc%23d%20%C3%A9?v=1&v=2%203&limit=5',
      },
    ])
  })

  it('reuses the connection of the request before', async () => {
    const peer = await server((_, response) => response.end('{}'))
    const client = clientFor([at(peer.port)])
    for (let time = 0; time < 10; time++) await client.request(get)
    // The end of a body can be seen a moment before its connection is free again: then there is another one.
    expect(peer.connections()).toBeLessThan(6)
  })

  it('goes on to the next place when one cannot be reached, and tries no more than three', async () => {
    const peer = await server((_, response) => response.end('{}'))
    expect(await clientFor([at(1), at(2), at(peer.port)]).request(get)).toEqual({})
    expect((await failure(clientFor([at(1), at(2), at(3), at(peer.port)]).request(get))).kind).toBe(
      'unreachable',
    )
  })

  it('refuses to be built from a path that is not encoded or climbs', async () => {
    const client = clientFor([])
    for (const path of [
      '/_matrix/federation/a b',
      '/other',
      '/_matrix/a#b',
      '/_matrix/a\r\nx:y',
      encodePath('/_matrix/media', '..'),
    ]) {
      await expect(client.request({ ...get, path })).rejects.toBeInstanceOf(TypeError)
    }
  })

  it('never goes to ourselves, to servers that we do not federate with, or to a name that leads nowhere', async () => {
    const peer = await server((_, response) => response.end('{}'))
    const client = clientFor([at(peer.port)])
    for (const destination of ['finances.example', 'denied.example']) {
      expect((await failure(client.request({ ...get, destination }))).kind).toBe('unreachable')
    }
    expect((await failure(clientFor([]).request(get))).kind).toBe('unreachable')
    expect(peer.seen).toHaveLength(0)
  })
})

describe('the certificate of a peer', () => {
  it('must be for the server name, whatever host was connected to', async () => {
    const peer = await server((_, response) => response.end('{}'))
    expect(await clientFor([at(peer.port, 'srv-target.example')]).request(get)).toEqual({})
    const wrong = await failure(clientFor([at(peer.port, 'sante.example', 'interieur.example')]).request(get))
    expect(wrong.kind).toBe('unreachable')
    expect(peer.seen).toHaveLength(1)
  })

  it('may be for an IP address, without SNI', async () => {
    const peer = await server((_, response) => response.end('{}'), ['127.0.0.1'])
    const literal = {
      host: '127.0.0.1',
      port: peer.port,
      hostHeader: `127.0.0.1:${peer.port}`,
      tlsServerName: '127.0.0.1',
    }
    expect(await clientFor([literal]).request(get)).toEqual({})
    expect(peer.seen[0]).toMatchObject({ host: `127.0.0.1:${peer.port}`, sni: false })
    expect((await failure(clientFor([{ ...literal, tlsServerName: '127.0.0.2' }]).request(get))).kind).toBe(
      'unreachable',
    )
  })

  it('must come from a trusted authority; that of one server is trusted for that server alone', async () => {
    const peer = await server((_, response) => response.end('{}'))
    const untrusting = clientFor([at(peer.port)], { extraCa: [] })
    expect((await failure(untrusting.request(get))).kind).toBe('unreachable')
    const own = { extraCa: [], trustOf: only('sante.example', { ca: [testAuthority.certificate], pins: [] }) }
    expect(await clientFor([at(peer.port)], own).request(get)).toEqual({})
    expect(
      (await failure(clientFor([at(peer.port)], own).request({ ...get, destination: 'b.example' }))).kind,
    ).toBe('unreachable')
    // A server with an authority of its own is not believed with a certificate of anybody else's.
    const validity = { from: Date.now() - 1_000, until: Date.now() + 60_000 }
    const other = createAuthority({ name: 'other', validity, random: systemRandom })
    const pinned = clientFor([at(peer.port)], {
      trustOf: only('sante.example', { ca: [other.certificate], pins: [] }),
    })
    expect((await failure(pinned.request(get))).kind).toBe('unreachable')
  })
})

describe('a pinned certificate', () => {
  const pinOf = (port: number): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = tlsConnect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
        const spki = socket.getPeerX509Certificate()!.publicKey.export({ type: 'spki', format: 'der' })
        resolve(createHash('sha256').update(spki).digest('base64').replace('=', ''))
        socket.destroy()
      })
      socket.once('error', reject)
    })

  it('is believed by its key alone, whoever signed it, and no other one in its place', async () => {
    const peer = await server((_, response) => response.end('{}'))
    const other = await server((_, response) => response.end('{}'))
    const pin = await pinOf(peer.port)
    const trusting = (port: number, ca: readonly string[], pins: readonly string[]) =>
      clientFor([at(port)], { extraCa: [], trustOf: only('sante.example', { ca, pins }) })
    expect(await trusting(peer.port, [], [pin]).request(get)).toEqual({})
    expect((await failure(trusting(other.port, [], [pin]).request(get))).kind).toBe('unreachable')
    const { certificate } = testAuthority
    expect(await trusting(peer.port, [certificate], [pin]).request(get)).toEqual({})
    expect((await failure(trusting(other.port, [certificate], [pin]).request(get))).kind).toBe('unreachable')
  })

  it('holds for the next request when it is changed, although a connection is open', async () => {
    const peer = await server((_, response) => response.end('{}'))
    let trust: PeerTrust = { ca: [], pins: [await pinOf(peer.port)] }
    const client = clientFor([at(peer.port)], { extraCa: [], trustOf: () => trust })
    expect(await client.request(get)).toEqual({})
    trust = { ca: [], pins: ['A'.repeat(43)] }
    expect((await failure(client.request(get))).kind).toBe('unreachable')
  })
})

describe('the encryption of a peer', () => {
  it('is TLS 1.2 at the least, whatever the peer offers', async () => {
    const versions = { 'TLSv1.2': true, 'TLSv1.3': true, 'TLSv1.1': false, TLSv1: false } as const
    for (const [version, good] of Object.entries(versions)) {
      const only = version as 'TLSv1.2'
      const started = await startTestServer(['sante.example'], (_, response) => response.end('{}'), {
        minVersion: only,
        maxVersion: only,
        // Else the peer would not offer the old ones at all.
        ciphers: 'DEFAULT@SECLEVEL=0',
      })
      closers.push(() => started.close())
      const answer = clientFor([at(started.port)]).request(get)
      if (good) expect(await answer).toEqual({})
      else expect((await failure(answer)).kind).toBe('unreachable')
    }
  })
})

describe('the address of a peer', () => {
  it('is refused where the policy refuses it, as a literal and as what a name resolves to', async () => {
    const peer = await server((_, response) => response.end('{}'), ['sante.example', '127.0.0.1'])
    const policy = createAddressPolicy()
    const options = {
      policy,
      lookup: guardedLookup(policy, (_, __, done) => done(null, [{ address: '127.0.0.1', family: 4 }])),
    }
    for (const host of ['127.0.0.1', '::ffff:127.0.0.1', 'sante.example']) {
      expect((await failure(clientFor([at(peer.port, host)], options).request(get))).message).toMatch(
        /no address that may be connected/,
      )
    }
    expect(peer.connections()).toBe(0)
  })

  it('is the one that was checked: a name that resolves otherwise the next moment gains nothing', async () => {
    const peer = await server((_, response) => response.end('{}'))
    const policy = createAddressPolicy({ denied: ['127.0.0.1/32'] })
    let asked = 0
    const rebinding = guardedLookup(policy, (_, __, done) =>
      done(null, [{ address: asked++ === 0 ? '127.0.0.9' : '127.0.0.1', family: 4 }]),
    )
    await failure(
      clientFor([at(peer.port)], { policy, lookup: rebinding, connectTimeoutMs: 300 }).request(get),
    )
    expect(asked).toBe(1)
    expect(peer.connections()).toBe(0)
  })

  it('is looked at once more when connected, against a resolver that is not ours', async () => {
    const peer = await server((_, response) => response.end('{}'))
    const client = clientFor([at(peer.port)], { policy: createAddressPolicy() })
    expect((await failure(client.request(get))).kind).toBe('unreachable')
    expect(peer.seen).toHaveLength(0)
  })
})

describe('the answer of a peer', () => {
  const answering = async (handler: RequestListener, limits: object = {}): Promise<FederationError> =>
    failure(clientFor([at((await server(handler)).port)]).request({ ...get, timeoutMs: 2_000, ...limits }))

  it.each([
    ['not JSON', '<html>', 'bad-response'],
    ['JSON but no object', '[]', 'bad-response'],
    ['empty', '', 'bad-response'],
    ['with a duplicate key', '{"a":1,"a":2}', 'bad-response'],
    ['nested too deeply', `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`, 'bad-response'],
  ])('is refused when %s', async (_, body, kind) => {
    expect((await answering((__, response) => response.end(body))).kind).toBe(kind)
  })

  it('keeps numbers that a double cannot hold', async () => {
    const peer = await server((_, response) => response.end('{"depth":9223372036854775807}'))
    expect(await clientFor([at(peer.port)]).request(get)).toEqual({ depth: { text: '9223372036854775807' } })
  })

  it('is cut at the limit of bytes, announced or not', async () => {
    const big = Buffer.alloc(200_000, 'x')
    expect((await answering((_, response) => response.end(big), { maxBytes: 100_000 })).kind).toBe(
      'too-large',
    )
    let sent = 0
    const endless = await answering(
      (_, response) => {
        const more = (): void => {
          while (response.write(big)) sent += big.length
          response.once('drain', more)
        }
        more()
      },
      { maxBytes: 1_000_000, timeoutMs: 10_000 },
    )
    expect(endless.kind).toBe('too-large')
    expect(sent).toBeLessThan(20_000_000)
  })

  it('is cut at the limit of time: no answer, half a header, a drip of bytes', async () => {
    // Neither of these would end by itself.
    expect((await answering(() => undefined, { timeoutMs: 300 })).kind).toBe('timeout')
    const drip = (_: unknown, response: Parameters<RequestListener>[1]): void => {
      response.writeHead(200)
      const timer = setInterval(() => response.write(' '), 20)
      response.on('close', () => clearInterval(timer))
    }
    const error = await answering(drip, { timeoutMs: 300 })
    expect(error.kind).toBe('timeout')
    expect(isRetryable(error)).toBe(true)
  })

  it('times out when the peer accepts the connection and never speaks TLS', async () => {
    const mute = createServer((socket) => socket.resume())
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
    closers.push(() => new Promise((resolve) => mute.close(resolve)))
    const client = clientFor([at((mute.address() as AddressInfo).port)], { connectTimeoutMs: 200 })
    expect((await failure(client.request({ ...get, timeoutMs: 5_000 }))).kind).toBe('timeout')
  })

  it('is refused when compressed, which was not asked for', async () => {
    const error = await answering((_, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'),
    )
    expect(error.kind).toBe('bad-response')
  })

  it('is not followed when it redirects', async () => {
    const error = await answering((_, response) =>
      response.writeHead(302, { location: 'https://127.0.0.1/' }).end(),
    )
    expect(error).toMatchObject({ kind: 'status', status: 302 })
  })

  it('tells status, errcode and how long to wait', async () => {
    const limited = await answering((_, response) =>
      response
        .writeHead(429, { 'retry-after': '7' })
        .end('{"errcode":"M_LIMIT_EXCEEDED","error":"slow","retry_after_ms":1}'),
    )
    expect(limited).toMatchObject({
      kind: 'status',
      status: 429,
      errcode: 'M_LIMIT_EXCEEDED',
      retryAfterMs: 7_000,
    })
    const hostile = await answering((_, response) =>
      response.writeHead(404).end('{"errcode":5,"retry_after_ms":"x"}'),
    )
    expect(hostile).toMatchObject({ status: 404, errcode: undefined, retryAfterMs: undefined })
    const huge = await answering((_, response) => response.writeHead(500).end(Buffer.alloc(300_000, ' ')))
    expect(huge).toMatchObject({ status: 500, errcode: undefined })
    expect([isRetryable(limited), isRetryable(hostile), isRetryable(huge)]).toEqual([true, false, true])
  })

  it('is given up at once when the caller wishes, with the reason of the caller', async () => {
    const abort = new AbortController()
    const peer = await server(() => abort.abort(new Error('changed my mind')))
    await expect(clientFor([at(peer.port)]).request({ ...get, signal: abort.signal })).rejects.toThrow(
      'changed my mind',
    )
    await expect(clientFor([at(peer.port)]).request({ ...get, signal: abort.signal })).rejects.toThrow(
      'changed my mind',
    )
  })

  it('is asked for once more when a kept connection was closed under it, but a POST is not', async () => {
    let count = 0
    const peer = await server((request, response) => {
      if (++count % 2 === 0) request.socket.destroy()
      else response.end('{}')
    })
    const client = clientFor([at(peer.port)])
    await client.request(get)
    expect(await client.request(get)).toEqual({})
    expect(count).toBe(3)
    expect((await failure(client.request({ ...get, method: 'POST' }))).kind).toBe('unreachable')
    expect(count).toBe(4)
  })
})

async function collect(body: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return chunks
}

describe('a streamed answer', () => {
  it('arrives as it is sent, and ends with an error over its limits', async () => {
    const peer = await server((request, response) => {
      response.write('first')
      if (request.url!.endsWith('short')) response.end()
      else setTimeout(() => response.end(Buffer.alloc(1_000_000)), 50)
    })
    const client = clientFor([at(peer.port)])
    const short = await client.requestStream({ ...get, path: '/_matrix/short' })
    expect(short.status).toBe(200)
    expect(Buffer.concat(await collect(short.body)).toString()).toBe('first')
    const long = await client.requestStream({ ...get, path: '/_matrix/long', maxBytes: 1_000 })
    await expect(collect(long.body)).rejects.toMatchObject({ kind: 'too-large' })
    const unread = await client.requestStream({ ...get, path: '/_matrix/long' })
    unread.body.destroy()
    expect(await collect((await client.requestStream({ ...get, path: '/_matrix/short' })).body)).toHaveLength(
      1,
    )
  })

  it('may be a redirect where the caller can deal with one', async () => {
    const peer = await server((_, response) =>
      response.writeHead(307, { location: 'https://cdn.example/x' }).end(),
    )
    const answer = await clientFor([at(peer.port)]).requestStream({ ...get, acceptRedirect: true })
    expect([answer.status, answer.headers.get('location')]).toEqual([307, 'https://cdn.example/x'])
    answer.body.destroy()
  })
})
