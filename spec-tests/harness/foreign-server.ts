import { createServer, type Server } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { signJson, type Signer as EventSigner } from '../../src/core/event/sign.js'
import { createServerCertificate, type Certificate } from '../../src/platform/certificate.js'
import { createSigner, generateSigningKey } from '../../src/platform/ed25519.js'
import { systemRandom } from '../../src/platform/random.js'

/** Answers a request; false where it is not for it. */
export type Answering = (request: IncomingMessage, response: ServerResponse, path: string) => boolean

/** A homeserver of the test's own: it has a key, and says what the test wants. */
export interface ForeignServer {
  /** `localhost:port`, where it was given no other. */
  readonly name: string
  readonly port: number
  readonly signer: EventSigner
  /** In the place of all but the key. Anything else is a 404. */
  answer: Answering
  /** In the place of the honest key document; false for the honest one. */
  answerKeys: Answering
  close(): Promise<void>
}

const DAY = 24 * 3_600_000

export const answerJson = (response: ServerResponse, body: object, status = 200): void => {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

/** @param given a server name without a port, which nodes must be told how to find */
export async function startForeignServer(authority: Certificate, given?: string): Promise<ForeignServer> {
  const certificate = createServerCertificate({
    hosts: [given ?? 'localhost'],
    validity: { from: Date.now() - DAY, until: Date.now() + 365 * DAY },
    authority,
    random: systemRandom,
  })
  const key = createSigner(generateSigningKey(systemRandom))
  const foreign = { answer: (() => false) as Answering, answerKeys: (() => false) as Answering }
  const server: Server = createServer({ cert: certificate.certificate, key: certificate.privateKey })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const name = given ?? `localhost:${port}`
  const signer: EventSigner = { serverName: name, keyId: key.keyId, sign: key.sign }
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const path = new URL(request.url!, 'https://localhost').pathname
    if (path === '/_matrix/key/v2/server') {
      if (foreign.answerKeys(request, response, path)) return
      const document = {
        server_name: name,
        verify_keys: { [key.keyId]: { key: key.publicKey } },
        old_verify_keys: {},
        valid_until_ts: Date.now() + 7 * DAY,
      }
      answerJson(response, signJson(document, signer))
    } else if (!foreign.answer(request, response, path)) {
      answerJson(response, { errcode: 'M_UNRECOGNIZED', error: 'not here' }, 404)
    }
  })
  return Object.assign(foreign, {
    name,
    port,
    signer,
    close() {
      server.closeAllConnections()
      return new Promise<void>((resolve) => server.close(() => resolve()))
    },
  })
}
