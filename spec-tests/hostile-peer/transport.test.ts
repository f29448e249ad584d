import type { ServerResponse } from 'node:http'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { signJson, type Signer } from '../../src/core/event/sign.js'
import type { JsonObject } from '../../src/core/json/value.js'
import { createSigner, generateSigningKey } from '../../src/platform/ed25519.js'
import { systemRandom } from '../../src/platform/random.js'
import { authorizationHeader } from '../../src/services/federation/x-matrix.js'
import { createRoom, eventually, register, sendText, v3 } from '../harness/client.js'
import { answerJson } from '../harness/foreign-server.js'
import { startNode } from '../harness/node.js'
import { fed, type Peer } from '../harness/peer.js'
import { enc, startWorld, type World } from './world.js'

const DAY = 24 * 3_600_000
const stolen = createSigner(generateSigningKey(systemRandom, 'stolen'))
let world: World
beforeAll(async () => {
  world = await startWorld({
    federation: {
      timeouts: { request: '5s', join: '5s' },
      banned_keys: [stolen.publicKey],
    },
  })
})
afterEach(() => world.othersGoOn())
afterAll(() => world?.dispose())

const profilePath = (): string => fed(`/query/profile?user_id=${enc(world.alice.userId)}`)

/** Asks for alice's profile with these headers; gives status and errcode. */
async function ask(headers: [string, string][]): Promise<[number, string | undefined]> {
  const answer = await fetch(world.node.url + profilePath(), { headers })
  const body = (await answer.json()) as { errcode?: string }
  return [answer.status, body.errcode]
}

const signedBy = (
  signer: Signer,
  { origin = signer.serverName, destination = world.node.serverName } = {},
): string =>
  authorizationHeader({ method: 'GET', uri: profilePath(), origin, destination, content: undefined }, signer)!

describe('requests of a hostile peer', () => {
  it('G1: without one readable signature are refused', async () => {
    const good = signedBy(world.hostile.server.signer)
    const unsigned = [401, 'M_UNAUTHORIZED']
    expect(await ask([])).toEqual(unsigned)
    for (const header of [
      '',
      'X-Matrix',
      'Bearer abc',
      'Basic YTpi',
      'X-Matrix origin=',
      `x${good}`,
      'X-Matrix ' + 'a=b,'.repeat(500),
      good.replace('sig=', 'sog='),
    ])
      // prettier-ignore
      expect([header, await ask([['authorization', header]])]).toEqual([header, unsigned])
    expect(await ask([['authorization', good], ['authorization', good]])).toEqual(unsigned) // prettier-ignore
    expect((await ask([['authorization', good]]))[0]).toBe(200)
  })

  it('G2: for another server are refused, and those for nobody in particular are taken for this one’s', async () => {
    const { signer } = world.hostile.server
    for (const destination of ['other.example', 'localhost', '', world.node.serverName.toUpperCase()])
      expect(await ask([['authorization', signedBy(signer, { destination })]])).toEqual([
        401,
        'M_UNAUTHORIZED',
      ])
    const bare = signedBy(signer).replace(/destination="[^"]*",/, '')
    expect((await ask([['authorization', bare]]))[0]).toBe(200)
    const moved = signedBy(signer, { destination: 'other.example' }).replace(/destination="[^"]*",/, '')
    expect((await ask([['authorization', moved]]))[0]).toBe(401)
  })

  it('G3: in the name of others are refused, and those of servers that are not allowed before their body is read', async () => {
    const { signer } = world.hostile.server
    for (const origin of [
      world.honest.server.name,
      world.node.serverName,
      '../../etc',
      'a/b',
      '',
      '[::1]:99999',
    ])
      expect(await ask([['authorization', signedBy(signer, { origin })]])).toEqual([401, 'M_UNAUTHORIZED'])
    const closed = await startNode({
      authority: world.authority,
      config: { federation: { allow: [world.honest.server.name] } },
    })
    try {
      const uri = '/_matrix/federation/v1/send/t1'
      const header = (peer: Peer): string =>
        authorizationHeader(
          { method: 'PUT', uri, origin: peer.server.name, destination: closed.serverName, content: {} },
          peer.server.signer,
        )!
      const put = async (peer: Peer, body: string): Promise<[number, string]> => {
        const headers = { authorization: header(peer), 'content-type': 'application/json' }
        const answer = await fetch(closed.url + uri, { method: 'PUT', headers, body })
        return [answer.status, ((await answer.json()) as { errcode: string }).errcode]
      }
      let asked = 0
      world.hostile.server.answerKeys = () => {
        asked += 1
        return false
      }
      // Not even that this is no JSON is seen.
      expect(await put(world.hostile, '{')).toEqual([403, 'M_FORBIDDEN'])
      expect((await put(world.honest, '{}'))[0]).toBe(200)
      expect(await put(world.honest, '{')).toEqual([400, 'M_NOT_JSON'])
      // Nor is it asked for anything, whoever names it.
      const bob = await register(closed.url, 'bob')
      const far = `@x:${world.hostile.server.name}`
      expect((await bob.call('GET', v3(`/profile/${enc(far)}`), { uncheckedBecause: 'a closed federation' })).status).toBe(404) // prettier-ignore
      expect(asked).toBe(0)
      const roomId = await createRoom(bob, { preset: 'public_chat' })
      expect((await bob.call('POST', v3(`/rooms/${enc(roomId)}/invite`), { body: { user_id: far } })).status).toBe(403) // prettier-ignore
    } finally {
      world.hostile.server.answerKeys = () => false
      await closed.dispose()
    }
  })

  it('G4: by a key that cannot be had are refused, and hundreds of them cost one question', async () => {
    const dead = createSigner(generateSigningKey(systemRandom))
    const nowhere = { serverName: 'localhost:1', keyId: dead.keyId, sign: dead.sign }
    expect((await ask([['authorization', signedBy(nowhere)]]))[0]).toBe(401)
    const peer = await world.another()
    let asked = 0
    peer.server.answerKeys = (_request, response) => {
      asked += 1
      setTimeout(() => response.writeHead(500).end('no'), 300)
      return true
    }
    const header = signedBy(peer.server.signer)
    const many = await Promise.all(Array.from({ length: 200 }, () => ask([['authorization', header]])))
    expect(many.filter(([status]) => status !== 401)).toEqual([])
    expect(asked).toBe(1)
    // It is not asked again for a while.
    expect((await ask([['authorization', header]]))[0]).toBe(401)
    expect(asked).toBe(1)
  })

  type Keys = (peer: Peer, honest: JsonObject) => JsonObject | string
  const key = (publicKey: unknown): JsonObject => ({ key: publicKey as string })
  const BAD_KEYS: readonly (readonly [string, Keys])[] = [
    ['that are over', (_, honest) => ({ ...honest, valid_until_ts: Date.now() - DAY })],
    ['that are out of use', (peer, honest) => {
      const { keyId } = peer.server.signer
      const mine = (honest['verify_keys'] as JsonObject)[keyId] as JsonObject
      return { ...honest, verify_keys: {}, old_verify_keys: { [keyId]: { ...mine, expired_ts: Date.now() + DAY } } }
    }],
    ['of another server', (_, honest) => ({ ...honest, server_name: world.honest.server.name })],
    ['of nobody', ({ server }, honest) => {
      const { server_name: _name, ...rest } = honest
      return server.name === '' ? '' : rest
    }],
    ['of small order', ({ server }, honest) => ({ ...honest, verify_keys: { [server.signer.keyId]: key('A'.repeat(43)) } })],
    ['of a wrong length', ({ server }, honest) => ({ ...honest, verify_keys: { [server.signer.keyId]: key('AAAA') } })],
    ['that are no text', ({ server }, honest) => ({ ...honest, verify_keys: { [server.signer.keyId]: key(7) } })],
    ['in a list', (_, honest) => ({ ...honest, verify_keys: [] })],
    ['by the thousand', ({ server }, honest) => {
      const junk = Array.from({ length: 1_000 }, (_, i) => [`ed25519:k${i}`, key('A'.repeat(43))])
      return { ...honest, verify_keys: { ...(honest['verify_keys'] as JsonObject), ...Object.fromEntries(junk) }, server_name: server.name }
    }],
    ['in a megabyte', (_, honest) => ({ ...honest, padding: 'x'.repeat(1_000_000) })],
    ['in HTML', () => '<html>'],
  ] // prettier-ignore
  it.each(BAD_KEYS)('G5: signed by keys %s are refused', async (_name, change) => {
    const peer = await world.another()
    const { signer } = peer.server
    const published = await publishedKey(peer)
    const honest: JsonObject = {
      server_name: peer.server.name,
      verify_keys: { [signer.keyId]: { key: published } },
      old_verify_keys: {},
      valid_until_ts: Date.now() + DAY,
    }
    let asked = 0
    peer.server.answerKeys = (_request, response) => {
      asked += 1
      const document = change(peer, honest)
      if (typeof document === 'string') response.writeHead(200).end(document)
      else answerJson(response, signJson(document, signer))
      return true
    }
    expect((await ask([['authorization', signedBy(signer)]]))[0]).toBe(401)
    expect(asked).toBeGreaterThan(0)
  })

  it('G5: signed by a banned key, or by another one under a known id, are refused', async () => {
    const peer = await world.another()
    const banned = { serverName: peer.server.name, keyId: stolen.keyId, sign: stolen.sign }
    peer.server.answerKeys = (_request, response) => {
      const document = {
        server_name: peer.server.name,
        verify_keys: { [stolen.keyId]: { key: stolen.publicKey } },
        old_verify_keys: {},
        valid_until_ts: Date.now() + DAY,
      }
      answerJson(response, signJson(document, banned))
      return true
    }
    expect((await ask([['authorization', signedBy(banned)]]))[0]).toBe(401)
    const { signer } = world.hostile.server
    expect((await ask([['authorization', signedBy(signer)]]))[0]).toBe(200)
    const other = createSigner(generateSigningKey(systemRandom, signer.keyId.split(':')[1]))
    const impostor = { serverName: signer.serverName, keyId: signer.keyId, sign: other.sign }
    expect((await ask([['authorization', signedBy(impostor)]]))[0]).toBe(401)
    expect((await ask([['authorization', signedBy(signer)]]))[0]).toBe(200)
  })
})

async function publishedKey(peer: Peer): Promise<string> {
  // The harness makes the key; its public half stands in the honest document alone, which the server gives itself.
  const { Agent, fetch: undiciFetch } = await import('undici')
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } })
  const answer = await undiciFetch(`https://${peer.server.name}/_matrix/key/v2/server`, { dispatcher })
  const document = (await answer.json()) as { verify_keys: Record<string, { key: string }> }
  await dispatcher.close()
  return document.verify_keys[peer.server.signer.keyId]!.key
}

/** Ways of answering that never come to a good end. */
const ENDLESS: readonly (readonly [string, (response: ServerResponse) => void])[] = [
  ['nothing at all', () => undefined],
  ['a head alone', (response) => response.writeHead(200).flushHeaders()],
  ['a byte at a time', (response) => {
    response.writeHead(200)
    const drip = setInterval(() => response.write(' '), 100)
    response.on('close', () => clearInterval(drip))
  }],
  ['more and more', (response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).write('{"displayname":"')
    const more = (): void => {
      while (!response.destroyed && response.write('x'.repeat(65_536)));
      if (!response.destroyed) response.once('drain', more)
    }
    more()
    response.on('error', () => undefined)
  }],
  ['a length of petabytes', (response) => void response.writeHead(200, { 'content-length': '999999999999999' }).write('{')],
  ['a compressed bomb', (response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(Buffer.alloc(1_000))],
  ['a million brackets', (response) => void response.writeHead(200).end('['.repeat(1_000_000))],
] // prettier-ignore

describe('answers of a hostile peer', () => {
  it.each(ENDLESS)('G8: of %s end within bounds', async (_name, answerWith) => {
    const { server } = world.hostile
    let asked = 0
    server.answer = (_request, response, path) => {
      if (!path.includes('/query/profile')) return false
      asked += 1
      answerWith(response)
      return true
    }
    try {
      const answer = await world.alice.call('GET', v3(`/profile/${enc(`@far:${server.name}`)}`), {
        uncheckedBecause: 'what the other server says cannot be had',
      })
      expect([404, 502, 504]).toContain(answer.status)
      expect(asked).toBeGreaterThan(0)
    } finally {
      server.answer = () => false
    }
  })

  const REFUSALS: readonly (readonly [string, (response: ServerResponse) => void])[] = [
    ['HTML', (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')],
    ['a redirect', (response) => void response.writeHead(302, { location: 'https://localhost:1/' }).end()],
    ['a 401', (response) => answerJson(response, { errcode: 'M_UNAUTHORIZED' }, 401)],
    ['a 500', (response) => void response.writeHead(500).end()],
    ['a 429 for ever', (response) => void response.writeHead(429, { 'retry-after': '999999999999' }).end('{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":1e15}')],
    ['a closed connection', (response) => void response.destroy()],
  ] // prettier-ignore
  it.each(REFUSALS)(
    'G9: of %s to a transaction lose no event, and delay no other server',
    async (_name, refuse) => {
      const scene = await world.scene(world.hostile)
      let refusals = 0
      const received = new Set<string>()
      world.hostile.server.answer = (request, response, path) => {
        if (!path.includes('/federation/v1/send/')) return false
        if (refusals < 2) {
          refusals += 1
          request.resume()
          refuse(response)
          return true
        }
        void (async () => {
          let text = ''
          for await (const chunk of request) text += String(chunk)
          for (const pdu of (JSON.parse(text) as { pdus: { content: { body?: string } }[] }).pdus)
            received.add(pdu.content.body ?? '')
          answerJson(response, { pdus: {} })
        })()
        return true
      }
      try {
        await sendText(world.alice, scene.roomId, 'must arrive')
        await world.othersGoOn()
        await eventually('the event that was refused twice', async () => received.has('must arrive'))
        expect(refusals).toBe(2)
      } finally {
        world.hostile.server.answer = () => false
      }
    },
  )

  it('G7: are never asked for at an address that is not allowed', async () => {
    const guarded = await startNode({
      authority: world.authority,
      config: { federation: { allowed_ip_ranges: [] } },
    })
    let asked = 0
    world.hostile.server.answer = () => {
      asked += 1
      return false
    }
    world.hostile.server.answerKeys = world.hostile.server.answer
    try {
      const bob = await register(guarded.url, 'bob')
      const { name } = world.hostile.server
      const options = { uncheckedBecause: 'the other server may not be asked' }
      expect((await bob.call('GET', v3(`/profile/${enc(`@x:${name}`)}`), options)).status).not.toBe(200)
      const join = { ...options, query: { via: name }, body: {} }
      expect((await bob.call('POST', v3(`/join/${enc(`!a:${name}`)}`), join)).status).not.toBe(200)
      for (const literal of ['127.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '169.254.169.254', '0.0.0.0'])
        expect((await bob.call('GET', v3(`/profile/${enc(`@x:${literal}:${name.split(':')[1]}`)}`), options)).status).not.toBe(200) // prettier-ignore
      expect(asked).toBe(0)
    } finally {
      world.hostile.server.answer = () => false
      world.hostile.server.answerKeys = () => false
      await guarded.dispose()
    }
  })
})
