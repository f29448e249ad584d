import { createWriteStream, existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createAuthority, createServerCertificate, type Certificate } from '../../src/platform/certificate.js'
import { generateSigningKey, writeKeyFile } from '../../src/platform/ed25519.js'
import { systemRandom } from '../../src/platform/random.js'
import { startChild, type Child } from '../../src/platform/testing-child.js'
import { testDatabase } from './database.js'
import { freePort } from '../../scripts/free-port.mjs'

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
/** A node that does not end in this time is killed; the test that waits for it fails by its own bound. */
const STOP_MS = 60_000
/** Only a node that never starts takes so long. */
const START_MS = 60_000
const YEAR = 365 * 24 * 3_600_000

/** A node of ours, as a process of its own with everything in a folder of its own. */
export interface Node {
  /** Of the client API. */
  readonly url: string
  readonly serverName: string
  readonly folder: string
  readonly pid: number | undefined
  /** Asks it to stop, and waits. */
  stop(): Promise<void>
  /** `kill -9`. */
  kill(): Promise<void>
  /** Starts it again on the same ports and data. */
  start(): Promise<void>
  /** Stops it and removes its folder and its database. */
  dispose(): Promise<void>
}

export interface NodeOptions {
  /** Merged over the test's configuration, section by section. */
  readonly config?: Readonly<Record<string, object | string>>
  /** Signs the node's certificate; nodes of one authority trust each other. Without one there is no federation listener. */
  readonly authority?: Certificate
  /** Registrations of application services, each written to a file of its own. */
  readonly appservices?: readonly object[]
  readonly env?: Readonly<Record<string, string>>
  readonly nodeArguments?: readonly string[]
}

export const testAuthority = (): Certificate =>
  createAuthority({
    name: 'Test authority',
    validity: { from: Date.now() - YEAR, until: Date.now() + YEAR },
    random: systemRandom,
  })

export async function startNode(options: NodeOptions = {}): Promise<Node> {
  if (!existsSync(MAIN)) throw new Error('the program is not built: run npm run build first')
  const folder = await mkdtemp(join(tmpdir(), 'chancery-node-'))
  const clientPort = await freePort()
  const federationPort = await freePort()
  const { authority } = options
  const serverName = authority === undefined ? 'localhost' : `localhost:${federationPort}`
  const listeners: object[] = [
    {
      address: '127.0.0.1',
      port: clientPort,
      resources: ['client', 'media', 'metrics', 'health', 'federation'],
    },
  ]
  if (authority !== undefined) {
    const own = createServerCertificate({
      hosts: ['localhost'],
      validity: { from: Date.now() - YEAR, until: Date.now() + YEAR },
      authority,
      random: systemRandom,
    })
    await writeFile(join(folder, 'tls.crt'), own.certificate)
    await writeFile(join(folder, 'tls.key'), own.privateKey)
    await writeFile(join(folder, 'ca.crt'), authority.certificate)
    listeners.push({
      address: '127.0.0.1',
      port: federationPort,
      tls: { certificate: 'tls.crt', key: 'tls.key' },
      resources: ['federation', 'media'],
    })
  }
  await writeFile(join(folder, 'signing.key'), writeKeyFile(generateSigningKey(systemRandom)))
  await mkdir(join(folder, 'media'), { recursive: true })
  const database = await testDatabase()
  const config: Record<string, object | string> = {
    server_name: serverName,
    ...(database && { database: database.config }),
    public_baseurl: `http://127.0.0.1:${clientPort}`,
    registration: { enabled: true, flow: 'dummy' },
    passwords: { min_length: 1, memory_kib: 1024, iterations: 1 },
    rate_limits: { enabled: false },
    metrics: { enabled: true },
    federation: {
      ca_files: authority === undefined ? [] : ['ca.crt'],
      allowed_ip_ranges: ['127.0.0.0/8', '::1/128'],
      backoff: { initial: '200ms', max: '1s' },
    },
  }
  for (const [section, value] of Object.entries(options.config ?? {})) {
    const known = config[section]
    config[section] = typeof value === 'object' && typeof known === 'object' ? { ...known, ...value } : value
  }
  const registrations = (options.appservices ?? []).map((registration, index) => ({
    file: join(folder, `appservice-${index}.yaml`),
    text: JSON.stringify(registration),
  }))
  for (const { file, text } of registrations) await writeFile(file, text)
  if (registrations.length > 0) config['appservices'] = registrations.map(({ file }) => file)
  // JSON is YAML.
  await writeFile(join(folder, 'homeserver.yaml'), JSON.stringify({ ...config, listeners }))

  const url = `http://127.0.0.1:${clientPort}`
  let child: Child | undefined

  async function start(): Promise<void> {
    const log = createWriteStream(join(folder, 'log.txt'), { flags: 'a' })
    const own = startChild(
      [...(options.nodeArguments ?? []), MAIN, 'serve', '-c', join(folder, 'homeserver.yaml')],
      { env: { ...process.env, NODE_OPTIONS: '', ...options.env } },
    )
    child = own
    own.process.stdout.pipe(log, { end: false })
    own.process.stderr.pipe(log)
    const deadline = Date.now() + START_MS
    for (;;) {
      if (own.process.exitCode !== null)
        throw new Error(`the node ended with ${own.process.exitCode}: see ${join(folder, 'log.txt')}`)
      try {
        if ((await fetch(`${url}/_matrix/client/versions`)).ok) return
      } catch {
        // Not yet.
      }
      if (Date.now() > deadline) throw new Error(`the node did not start: see ${join(folder, 'log.txt')}`)
      await new Promise((resolve) => setTimeout(resolve, 30))
    }
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const own = child
    child = undefined
    await own?.stop(signal, STOP_MS)
  }

  const node: Node = {
    url,
    serverName,
    folder,
    get pid() {
      return child?.process.pid
    },
    start,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    async dispose() {
      await end('SIGTERM')
      if (process.env['CHANCERY_KEEP'] !== undefined) return
      await database?.drop()
      await rm(folder, { recursive: true, force: true })
    },
  }
  await start()
  return node
}
