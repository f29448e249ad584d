import { spawn, type ChildProcess } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServerCertificate, type Certificate } from '../../src/platform/certificate.js'
import { generateSigningKey, writeKeyFile } from '../../src/platform/ed25519.js'
import { systemRandom } from '../../src/platform/random.js'
import { freePort } from '../../scripts/free-port.mjs'
import { synapseConfig, synapseLogConfig } from './synapse-config.js'

const YEAR = 365 * 24 * 3_600_000
const START_MS = 60_000
const STOP_MS = 20_000

/** A Synapse, as a process of its own with everything in a folder of its own. */
export interface Synapse {
  /** Of the client API. */
  readonly url: string
  readonly federationPort: number
  readonly folder: string
  stop(): Promise<void>
  /** Starts it again on the same ports and data. */
  start(): Promise<void>
  dispose(): Promise<void>
}

/** Those still running when this process ends are ended with it. */
const alive = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})

/**
 * @param python one in which `import synapse` works
 * @param serverName with the port that other servers connect to
 */
export async function startSynapse(
  python: string,
  serverName: string,
  authority: Certificate,
): Promise<Synapse> {
  const folder = await mkdtemp(join(tmpdir(), 'chancery-synapse-'))
  const clientPort = await freePort()
  const federationPort = await freePort()
  const validity = { from: Date.now() - YEAR, until: Date.now() + YEAR }
  const own = createServerCertificate({ hosts: ['127.0.0.1'], validity, authority, random: systemRandom })
  const files = {
    'tls.crt': own.certificate,
    'tls.key': own.privateKey,
    'ca.crt': authority.certificate,
    'signing.key': writeKeyFile(generateSigningKey(systemRandom)),
    'log.yaml': synapseLogConfig(folder),
    'homeserver.yaml': synapseConfig({ folder, serverName, clientPort, federationPort }),
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  const url = `http://127.0.0.1:${clientPort}`
  let child: ChildProcess | undefined

  async function start(): Promise<void> {
    const output = createWriteStream(join(folder, 'output.txt'), { flags: 'a' })
    const args = ['-m', 'synapse.app.homeserver', '-c', join(folder, 'homeserver.yaml')]
    const started = spawn(python, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
    child = started
    alive.add(started)
    started.once('close', () => alive.delete(started))
    started.stdout.pipe(output, { end: false })
    started.stderr.pipe(output)
    const deadline = Date.now() + START_MS
    for (;;) {
      if (started.exitCode !== null)
        throw new Error(`Synapse ended with ${started.exitCode}: see ${join(folder, 'output.txt')}`)
      try {
        if ((await fetch(`${url}/_matrix/client/versions`)).ok) return
      } catch {
        // Not yet.
      }
      if (Date.now() > deadline) throw new Error(`Synapse did not start: see ${folder}`)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }

  async function stop(): Promise<void> {
    const running = child
    child = undefined
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return
    const ended = new Promise<void>((resolve) => running.once('close', () => resolve()))
    running.kill('SIGTERM')
    const force = setTimeout(() => running.kill('SIGKILL'), STOP_MS)
    await ended
    clearTimeout(force)
  }

  await start()
  return {
    url,
    federationPort,
    folder,
    start,
    stop,
    async dispose() {
      await stop()
      if (process.env['CHANCERY_KEEP'] === undefined) await rm(folder, { recursive: true, force: true })
    },
  }
}
