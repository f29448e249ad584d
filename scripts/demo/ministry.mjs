/** A ministry of the demo: a folder with configuration, keys, database and media, and the process that serves it. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { spawnNode } from '../node-process.mjs'
import { writeServerCertificate } from './certificates.mjs'

/** `localhost` is two addresses on most machines, and programs try the one or the other first. */
function loopbackAddresses() {
  const all = Object.values(networkInterfaces()).flat()
  return ['127.0.0.1', ...(all.some((one) => one?.address === '::1') ? ['::1'] : [])]
}

/** Whether somebody answers on a port of this machine. */
export function isTaken(port) {
  const attempts = loopbackAddresses().map(
    (host) =>
      new Promise((resolve) => {
        const socket = connect({ host, port, timeout: 1_000 })
        const done = (taken) => {
          socket.destroy()
          resolve(taken)
        }
        socket.once('connect', () => done(true))
        socket.once('error', () => done(false))
        socket.once('timeout', () => done(false))
      }),
  )
  return Promise.all(attempts).then((answers) => answers.includes(true))
}

function configuration({ serverName, url, clientPort, federationPort, settings, hasFurtherAuthority }) {
  const addresses = loopbackAddresses()
  return {
    server_name: serverName,
    public_baseurl: url,
    listeners: [
      ...addresses.map((address) => ({
        address,
        port: clientPort,
        resources: ['client', 'media', 'health', 'metrics'],
      })),
      ...addresses.map((address) => ({
        address,
        port: federationPort,
        tls: { certificate: 'tls.crt', key: 'tls.key' },
        resources: ['federation', 'media'],
      })),
    ],
    registration: { enabled: true, flow: 'dummy' },
    passwords: { min_length: 8, wrong_attempts: false },
    rate_limits: { enabled: false },
    metrics: { enabled: true },
    federation: {
      ca_files: ['ca.crt', ...(hasFurtherAuthority ? ['further-ca.crt'] : [])],
      // Everybody in the demo is on this machine.
      allowed_ip_ranges: ['127.0.0.0/8', '::1/128'],
      // A node that died is back within seconds.
      backoff: { initial: '500ms', max: '10s' },
    },
    ...settings,
  }
}

/**
 * Writes what a ministry needs into its folder; what must last (signing key, database, media) is left as it is.
 * `furtherAuthority` is the PEM text of one more authority to trust; `settings` replace sections of the configuration.
 */
export async function prepareMinistry(options) {
  const { name, folder, clientPort, federationPort, authority, furtherAuthority, settings } = options
  const { generateSigningKey, writeKeyFile } = await import('../../dist/platform/ed25519.js')
  const { systemRandom } = await import('../../dist/platform/random.js')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const key = join(folder, 'signing.key')
  if (!existsSync(key)) writeFileSync(key, writeKeyFile(generateSigningKey(systemRandom)), { mode: 0o600 })
  await writeServerCertificate(folder, authority)
  writeFileSync(join(folder, 'ca.crt'), authority.certificate)
  if (furtherAuthority !== undefined) writeFileSync(join(folder, 'further-ca.crt'), furtherAuthority)
  const ministry = {
    name,
    folder,
    serverName: `localhost:${federationPort}`,
    url: `http://localhost:${clientPort}`,
    log: join(folder, 'log.txt'),
    /** Holds the process id of the running node. */
    pidFile: join(folder, 'node.pid'),
  }
  const config = configuration({
    ...ministry,
    clientPort,
    federationPort,
    settings,
    hasFurtherAuthority: furtherAuthority !== undefined,
  })
  // JSON is YAML.
  writeFileSync(join(folder, 'homeserver.yaml'), `${JSON.stringify(config, undefined, 2)}\n`)
  return ministry
}

/** Starts the node's process; its output is appended to the ministry's log. */
export function spawnMinistry({ folder, log, pidFile }) {
  const child = spawnNode({ config: join(folder, 'homeserver.yaml'), log })
  if (child.pid !== undefined) writeFileSync(pidFile, `${child.pid}\n`)
  return child
}
