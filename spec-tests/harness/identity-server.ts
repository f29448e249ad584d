import { createHash, randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { signJson } from '../../src/core/event/sign.js'
import type { JsonObject } from '../../src/core/json/value.js'
import type { Certificate } from '../../src/platform/certificate.js'
import { createSigner, generateSigningKey } from '../../src/platform/ed25519.js'
import { systemRandom } from '../../src/platform/random.js'
import { answerJson, startForeignServer } from './foreign-server.js'

/** What an identity server keeps for an address that is nobody's yet. */
export interface KeptInvite {
  readonly medium: string
  readonly address: string
  readonly room_id: string
  readonly sender: string
  readonly room_name?: string
  readonly sender_display_name?: string
  readonly token: string
}

/** A small identity server of the test's own, version 2 of the API, with the keys and signatures that the invites need. */
export interface IdentityServer {
  /** `localhost:port`. */
  readonly name: string
  /** What it accepts as its users' token. */
  readonly accessToken: string
  /** Users by address. */
  readonly bound: Map<string, string>
  readonly kept: KeptInvite[]
  /** Addresses proved here, by session. */
  readonly sessions: Map<string, { readonly medium: string; readonly address: string }>
  /** What it was asked: method and path. */
  readonly asked: string[]
  /** `X-Matrix` headers of requests to withdraw an address. */
  readonly withdrawals: string[]
  /** The words that make the invite of an address one of the user. */
  sign(userId: string, token: string): JsonObject
  /** Whether it says that its key counts. */
  setKeyValid(isValid: boolean): void
  close(): Promise<void>
}

const ROOT = '/_matrix/identity/v2'

async function bodyOf(request: IncomingMessage): Promise<JsonObject> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return JSON.parse(Buffer.concat(chunks).toString('utf8') || '{}') as JsonObject
}

export async function startIdentityServer(authority: Certificate): Promise<IdentityServer> {
  const server = await startForeignServer(authority)
  const key = createSigner(generateSigningKey(systemRandom))
  const accessToken = randomBytes(12).toString('base64url')
  const pepper = randomBytes(8).toString('base64url')
  const [bound, sessions] = [
    new Map<string, string>(),
    new Map<string, { medium: string; address: string }>(),
  ]
  const [kept, asked, withdrawals]: [KeptInvite[], string[], string[]] = [[], [], []]
  let isValid = true
  const hash = (address: string): string =>
    createHash('sha256').update(`${address} email ${pepper}`).digest('base64url')

  const handlers: Record<string, (body: JsonObject, request: IncomingMessage) => [number, object]> = {
    'GET /hash_details': () => [200, { lookup_pepper: pepper, algorithms: ['none', 'sha256'] }],
    'POST /lookup': ({ addresses, algorithm, pepper: given }) => {
      if (algorithm !== 'sha256' || given !== pepper)
        return [400, { errcode: 'M_INVALID_PEPPER', error: 'no' }]
      const asking = new Set(addresses as string[])
      const found = [...bound].filter(([address]) => asking.has(hash(address)))
      return [200, { mappings: Object.fromEntries(found.map(([address, user]) => [hash(address), user])) }]
    },
    'POST /store-invite': (body) => {
      const token = randomBytes(12).toString('hex')
      kept.push({ ...(body as unknown as KeptInvite), token })
      const url = `https://${server.name}${ROOT}/pubkey/isvalid`
      const publicKeys = [{ public_key: key.publicKey, key_validity_url: url }]
      return [200, { token, public_keys: publicKeys, display_name: 'somebody at…' }]
    },
    'POST /3pid/bind': ({ sid, mxid }) => {
      const session = sessions.get(sid as string)
      if (session === undefined) return [404, { errcode: 'M_NO_VALID_SESSION', error: 'no such session' }]
      bound.set(session.address, mxid as string)
      return [200, { ...session, mxid, not_before: 0, not_after: 2 ** 50, ts: 0, signatures: {} }]
    },
    'POST /3pid/unbind': ({ threepid }, request) => {
      withdrawals.push(request.headers.authorization ?? '')
      bound.delete((threepid as { address: string }).address)
      return [200, {}]
    },
  }

  server.answer = (request: IncomingMessage, response: ServerResponse, path: string) => {
    const name = `${request.method} ${path.replace(ROOT, '')}`
    asked.push(name)
    if (name === 'GET /pubkey/isvalid') {
      answerJson(response, { valid: isValid })
      return true
    }
    const handler = handlers[name]
    if (handler === undefined) return false
    const isOurs = name === 'POST /3pid/unbind' || request.headers.authorization === `Bearer ${accessToken}`
    if (!isOurs) answerJson(response, { errcode: 'M_UNAUTHORIZED', error: 'Unknown token' }, 401)
    else
      void bodyOf(request).then((body) => {
        const [status, answer] = handler(body, request)
        answerJson(response, answer, status)
      })
    return true
  }
  return {
    name: server.name,
    accessToken,
    bound,
    kept,
    sessions,
    asked,
    withdrawals,
    sign: (userId, token) =>
      signJson({ mxid: userId, token }, { serverName: server.name, keyId: key.keyId, sign: key.sign }),
    setKeyValid(is) {
      isValid = is
    },
    close: () => server.close(),
  }
}
