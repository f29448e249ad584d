import { request as httpRequest } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { systemClock } from '../../platform/clock.js'
import { createSigner, generateSigningKey } from '../../platform/ed25519.js'
import { systemRandom } from '../../platform/random.js'
import { createKeys } from '../../services/federation/keys.js'
import { pinnedKeys } from '../../services/federation/peers.js'
import { createRequestAuth } from '../../services/federation/request-auth.js'
import { authorizationHeader } from '../../services/federation/x-matrix.js'
import { route } from '../route.js'
import { startTestServer, type TestServer } from '../testing.js'

const PATH = '/_matrix/federation/v1/echo'
const peer = createSigner(generateSigningKey(systemRandom))
const unused = (): Promise<never> => Promise.reject(new Error('pinned keys are not looked up'))
const keys = createKeys({
  serverName: 'finances.example',
  signer: createSigner(generateSigningKey(systemRandom)),
  fixedKeysOf: pinnedKeys(new Map([['sante.example', new Map([[peer.keyId, peer.publicKey]])]])),
  known: { of: unused, learn: unused },
  fetcher: { refresh: unused },
  clock: systemClock,
})
const auth = createRequestAuth({
  serverName: 'finances.example',
  keys,
  clock: systemClock,
  federates: (name) => name !== 'denied.example',
})
const echo = route({
  id: 'echo',
  method: 'PUT',
  paths: [PATH],
  auth: 'server',
  body: 'object',
  numbers: 'exact',
  handler: ({ origin, body }) => Promise.resolve({ origin, body }),
})

let server: TestServer
beforeAll(async () => {
  server = await startTestServer([echo], {}, {
    authenticateServer: (request) => auth.verify(request),
    admitServer: (authorization) => auth.admit(authorization),
  })
}) // prettier-ignore
afterAll(() => server.close())

const sign = (content: object, origin = 'sante.example', uri = PATH): string =>
  authorizationHeader(
    { method: 'PUT', uri, origin, destination: 'finances.example', content: content as never },
    peer,
  )!

/** Sends the header as often as it is given, which `fetch` would not. */
function put(
  headers: readonly string[],
  body: string,
  path = PATH,
): Promise<{ status: number; errcode: unknown; origin: unknown }> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(server.url + path, { method: 'PUT' }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () => {
        const { errcode, origin } = JSON.parse(text) as Record<string, unknown>
        resolve({ status: response.statusCode!, errcode, origin })
      })
    })
    outgoing.on('error', reject)
    if (headers.length > 0) outgoing.setHeader('Authorization', headers)
    outgoing.end(body)
  })
}

describe('a route for servers', () => {
  it('runs for a signed request, whatever the spelling of its JSON, and is told the origin', async () => {
    const authorization = sign({ a: 1, b: ['é', 2] })
    expect(await put([authorization], ' { "b" : ["\\u00e9", 2], "a": 1 } ')).toMatchObject({
      status: 200,
      origin: 'sante.example',
    })
  })

  it('signs over the query string as it travels', async () => {
    const uri = `${PATH}?x=%7e&x=b`
    expect(await put([sign({}, 'sante.example', uri)], '{}', uri)).toMatchObject({ status: 200 })
    expect(await put([sign({}, 'sante.example', uri)], '{}', `${PATH}?x=~&x=b`)).toMatchObject({
      status: 401,
    })
  })

  it('answers 401 to a request that nobody, somebody else, or two headers sign', async () => {
    const good = sign({})
    const refused = { status: 401, errcode: 'M_UNAUTHORIZED' }
    expect(await put([], '{}')).toMatchObject(refused)
    expect(await put(['Bearer abc'], '{}')).toMatchObject(refused)
    expect(await put([good], '{"a":1}')).toMatchObject(refused)
    expect(await put([good, good], '{}')).toMatchObject(refused)
    expect(await put([good, sign({}, 'denied.example')], '{}')).toMatchObject(refused)
  })

  it('answers 403 to servers that we do not federate with, before their body is read', async () => {
    expect(await put([sign({}, 'denied.example')], 'not JSON')).toMatchObject({
      status: 403,
      errcode: 'M_FORBIDDEN',
    })
  })
})
