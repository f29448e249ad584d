import { afterEach, describe, expect, it } from '@jest/globals'
import type { RequestListener } from 'node:http'
import type { MatrixError } from '../../core/errors.js'
import { parseJson } from '../../core/json/parse.js'
import { signJson } from '../../core/event/sign.js'
import type { Json, JsonObject } from '../../core/json/value.js'
import { systemClock, type Clock } from '../../platform/clock.js'
import { createSigner, generateSigningKey, writeKeyFile } from '../../platform/ed25519.js'
import { silentLogger } from '../../platform/logger.js'
import { systemRandom } from '../../platform/random.js'
import { openTestStore } from '../../storage/testing.js'
import { encodePath } from './client.js'
import type { SignatureVerdict } from './keys.js'
import { createOwnKeys } from './own-keys.js'
import { startTestServer, testAuthority } from './testing-https-server.js'
import { createTransport, type Transport, type TransportDeps, type TransportOptions } from './transport.js'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** A node with nothing but keys and one signed endpoint, which answers with the name of who asked and what. */
async function node(
  name: string,
  ports: Map<string, { host: string; port: number }>,
  options: TransportOptions = {},
  deps: Partial<TransportDeps> = {},
): Promise<Transport> {
  const store = await openTestStore()
  const transport = createTransport({
    serverName: name,
    signer: createSigner(generateSigningKey(systemRandom)),
    store,
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    userAgent: 'test/1',
    ...deps,
    options: {
      hosts: ports,
      extraCa: [testAuthority.certificate],
      allowedIpRanges: ['127.0.0.0/8'],
      ...options,
    },
  })
  const handler: RequestListener = (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => void answer(Buffer.concat(chunks)))
    const answer = async (body: Buffer): Promise<void> => {
      if (request.url === '/_matrix/key/v2/server')
        return void response.end(JSON.stringify(transport.keys.ownDocument()))
      const parsed = body.length === 0 ? undefined : parseJson(body)
      const content: Json | undefined = parsed?.ok === true ? parsed.value : undefined
      const authorization = request.headersDistinct['authorization']
      try {
        const origin = await transport.requestAuth.verify({
          method: request.method!,
          uri: request.url!,
          authorization,
          content,
        })
        response.end(JSON.stringify({ origin, content: content ?? null }))
      } catch (error) {
        const { errcode, message } = error as MatrixError
        response.writeHead(401).end(JSON.stringify({ errcode, error: message }))
      }
    }
  }
  const server = await startTestServer([name], handler)
  ports.set(name, { host: '127.0.0.1', port: server.port })
  closers.push(
    () => store.close(),
    () => server.close(),
    () => transport.close(),
  )
  return transport
}

const send = {
  method: 'PUT',
  path: encodePath('/_matrix/federation/v1/send', 'txn 1/é'),
  body: { pdus: [{ depth: 1 }], 'é~😀': '"\\' },
} as const

describe('two nodes', () => {
  it('fetch each other’s keys and believe each other’s requests, both ways at once', async () => {
    const ports = new Map<string, { host: string; port: number }>()
    const finances = await node('finances.example', ports)
    const sante = await node('sante.example', ports)
    const [there, back] = await Promise.all([
      finances.client.request({ ...send, destination: 'sante.example', query: { limit: 5, v: ['a b'] } }),
      sante.client.request({
        destination: 'finances.example',
        method: 'GET',
        path: '/_matrix/federation/v1/query/profile',
      }),
    ])
    expect(there).toEqual({ origin: 'finances.example', content: send.body })
    expect(back).toEqual({ origin: 'sante.example', content: null })
  })

  it('carry numbers of old room versions through signing and verification', async () => {
    const ports = new Map<string, { host: string; port: number }>()
    const finances = await node('finances.example', ports)
    await node('sante.example', ports)
    const parsed = parseJson('{"pdus":[{"depth":9223372036854775807,"x":1.5,"y":1e3}]}')
    if (!parsed.ok) throw new Error('unreadable')
    const answer = await finances.client.request({
      ...send,
      destination: 'sante.example',
      body: parsed.value as never,
    })
    expect(answer['origin']).toBe('finances.example')
  })

  it('go on after one of them has rotated its key, and what the old one has signed is valid for who never saw it in use', async () => {
    const ports = new Map<string, { host: string; port: number }>()
    let later = 0
    const clock: Clock = {
      ...systemClock,
      now: () => systemClock.now() + later,
      monotonic: () => systemClock.monotonic() + later,
    }
    let text = writeKeyFile(generateSigningKey(systemRandom))
    const file = {
      read: () => Promise.resolve(text),
      replace(next: string) {
        text = next
        return Promise.resolve()
      },
    }
    const own = createOwnKeys({ file, text, clock, random: systemRandom })
    const { signer, retired } = own
    const finances = await node('finances.example', ports, {}, { signer, retired, clock })
    const sante = await node('sante.example', ports, {}, { clock })
    const ask = (): Promise<JsonObject> => finances.client.request({ ...send, destination: 'sante.example' })
    expect((await ask())['origin']).toBe('finances.example')
    const before = signJson({ said: 'before' }, { serverName: 'finances.example', ...signer })
    const at = clock.now()
    await own.rotate()
    // Sante asks for keys once a minute at most.
    later += 61_000
    expect((await ask())['origin']).toBe('finances.example')
    const third = await node('interieur.example', ports, {}, { clock })
    const valid = (minimumValidUntil: number): Promise<SignatureVerdict> =>
      third.keys.verifyJson('finances.example', before, { minimumValidUntil })
    expect(await valid(at)).toEqual({ ok: true })
    expect((await valid(at + 3_600_000)).ok).toBe(false)
    expect((await sante.keys.verifyJson('finances.example', before, { minimumValidUntil: at })).ok).toBe(true)
  })

  it('speak to nobody outside a closed federation, in either direction', async () => {
    const ports = new Map<string, { host: string; port: number }>()
    const closed = await node('finances.example', ports, { allow: ['interieur.example'] })
    const stranger = await node('sante.example', ports)
    await expect(closed.client.request({ ...send, destination: 'sante.example' })).rejects.toMatchObject({
      kind: 'unreachable',
    })
    await expect(stranger.client.request({ ...send, destination: 'finances.example' })).rejects.toMatchObject(
      {
        status: 401,
        errcode: 'M_FORBIDDEN',
      },
    )
    expect(await closed.notary.queryServer('sante.example')).toEqual({ server_keys: [] })
  })

  it('reach nothing on loopback unless the configuration makes an exception', async () => {
    const ports = new Map<string, { host: string; port: number }>()
    const strict = await node('finances.example', ports, { allowedIpRanges: [] })
    await node('sante.example', ports)
    await expect(strict.client.request({ ...send, destination: 'sante.example' })).rejects.toMatchObject({
      kind: 'unreachable',
      message: expect.stringContaining('no address that may be connected to'),
    })
    await expect(
      strict.http.request({ url: 'https://localhost/', timeoutMs: 2_000, maxBytes: 9 }),
    ).rejects.toMatchObject({ kind: 'unreachable' })
  })
})
