import type { RequestListener } from 'node:http'
import { createServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { createAuthority, createServerCertificate } from '../../platform/certificate.js'
import { systemClock } from '../../platform/clock.js'
import { systemRandom } from '../../platform/random.js'
import { createAddressPolicy } from './address-policy.js'
import { createConnections, type Connections, type ConnectionsOptions } from './connections.js'

/** For tests: HTTPS servers on loopback, whose certificates come from an authority made for the run. */
const validity = { from: systemClock.now() - 3_600_000, until: systemClock.now() + 3_600_000 }
export const testAuthority = createAuthority({ name: 'test authority', validity, random: systemRandom })

export interface TestServer {
  readonly port: number
  /** Host header and SNI of each request, in order. */
  readonly seen: {
    host: string | undefined
    sni: string | false | null | undefined
    url: string | undefined
  }[]
  /** TCP connections accepted so far. */
  connections(): number
  close(): Promise<void>
}

export async function startTestServer(
  hosts: readonly string[],
  handler: RequestListener,
  tls: ServerOptions = {},
): Promise<TestServer> {
  const leaf = createServerCertificate({ hosts, validity, authority: testAuthority, random: systemRandom })
  const seen: TestServer['seen'] = []
  let connections = 0
  const server = createServer(
    { ...tls, cert: leaf.certificate, key: leaf.privateKey },
    (request, response) => {
      const socket = request.socket as TLSSocket & { servername?: string | false }
      seen.push({ host: request.headers.host, sni: socket.servername, url: request.url })
      handler(request, response)
    },
  )
  server.on('connection', () => connections++)
  server.on('tlsClientError', () => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    connections: () => connections,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

/** Connections that trust the test authority, may go to loopback, and resolve every name to it. */
export function testConnections(options: Partial<ConnectionsOptions> = {}): Connections {
  return createConnections({
    policy: createAddressPolicy({ allowed: ['127.0.0.0/8'] }),
    extraCa: [testAuthority.certificate],
    connectTimeoutMs: 1_000,
    lookup: (_, lookupOptions, callback) =>
      lookupOptions.all === true
        ? callback(null, [{ address: '127.0.0.1', family: 4 }])
        : callback(null, '127.0.0.1', 4),
    ...options,
  })
}
