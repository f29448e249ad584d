import { spawnSync } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../free-port.mjs'
import { answering, endNode, spawnNode } from '../node-process.mjs'

/**
 * Starts a node of its own, with everything in a folder of its own: rate limits off, passwords cheap, all else as a
 * ministry would run it, the access log included. `database` is the section of the configuration, or undefined for SQLite. With
 * `from`, the folder of one that was stopped, that one goes on, on another port. With `federation`, a certificate of its own and the
 * authority of all, it speaks with other servers of this machine. `config`: further sections.
 */
export async function startNode({ main, database, profile, from, federation, config = {} }) {
  const folder = from ?? realpathSync(mkdtempSync(join(tmpdir(), 'chancery-bench-')))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const configPath = join(folder, 'homeserver.yaml')
  const serverName = federation === undefined ? 'localhost' : `localhost:${await freePort()}`
  const listeners = [{ address: '127.0.0.1', port, resources: ['client', 'media', 'metrics', 'health'] }]
  if (federation !== undefined) {
    const { certificate, authority } = federation
    writeFileSync(join(folder, 'tls.crt'), certificate.certificate)
    writeFileSync(join(folder, 'tls.key'), certificate.privateKey, { mode: 0o600 })
    writeFileSync(join(folder, 'ca.crt'), authority.certificate)
    listeners.push({
      address: '127.0.0.1',
      port: Number(serverName.split(':')[1]),
      tls: { certificate: 'tls.crt', key: 'tls.key' },
      resources: ['federation'],
    })
  }
  // JSON is YAML.
  writeFileSync(
    configPath,
    JSON.stringify({
      server_name: serverName,
      public_baseurl: url,
      listeners,
      data_dir: folder,
      registration: { enabled: true, flow: 'dummy' },
      passwords: { min_length: 1, memory_kib: 1024, iterations: 1 },
      rate_limits: { enabled: false },
      metrics: { enabled: true },
      ...config,
      ...(database === undefined ? {} : { database }),
      ...(federation === undefined
        ? {}
        : { federation: { ca_files: ['ca.crt'], allowed_ip_ranges: ['127.0.0.0/8', '::1/128'] } }),
    }),
  )
  const made =
    from === undefined
      ? spawnSync(process.execPath, [main, 'generate-key', '--config', configPath], { encoding: 'utf8' })
      : { status: 0 }
  if (made.status !== 0) throw new Error(`generate-key failed: ${made.stderr}`)

  const flags = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profile]
  const started = performance.now()
  const log = join(folder, 'log.txt')
  const env = { ...process.env, NODE_OPTIONS: '', NODE_ENV: 'production' }
  const child = spawnNode({ config: configPath, log, main, flags, env })
  try {
    await answering(child, { url, log, everyMs: 10 })
  } catch (error) {
    await endNode(child, 'SIGKILL')
    throw error
  }
  const startUpMs = performance.now() - started

  return {
    url,
    serverName,
    folder,
    startUpMs,
    databasePath: join(folder, 'homeserver.db'),
    /** Asks it to end, and waits; ends it by force after a while. */
    stop: () => endNode(child),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
