/**
 * Starts a node as Complement wants it: named by SERVER_NAME, clients on port 8008, servers on 8448 with a certificate under
 * Complement's authority, registration open, limits off. Runs again over the same files, which live in the container.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const DIST = fileURLToPath(new URL('../../dist/', import.meta.url))
const AUTHORITY = '/complement/ca'
const APPSERVICES = '/complement/appservice'
const DATA = '/data'
const DAY_MS = 86_400_000

const serverName = process.env['SERVER_NAME']
if (serverName === undefined) throw new Error('SERVER_NAME is not set')
const { createServerCertificate } = await import(`${DIST}platform/certificate.js`)
const { generateSigningKey, writeKeyFile } = await import(`${DIST}platform/ed25519.js`)
const { systemRandom } = await import(`${DIST}platform/random.js`)

mkdirSync(DATA, { recursive: true })
const keyFile = join(DATA, 'signing.key')
if (!existsSync(keyFile))
  writeFileSync(keyFile, writeKeyFile(generateSigningKey(systemRandom)), { mode: 0o600 })

const leaf = createServerCertificate({
  hosts: [serverName],
  validity: { from: Date.now() - DAY_MS, until: Date.now() + 365 * DAY_MS },
  authority: {
    certificate: readFileSync(join(AUTHORITY, 'ca.crt'), 'utf8'),
    privateKey: readFileSync(join(AUTHORITY, 'ca.key'), 'utf8'),
  },
  random: systemRandom,
})
writeFileSync(join(DATA, 'tls.crt'), leaf.certificate)
writeFileSync(join(DATA, 'tls.key'), leaf.privateKey, { mode: 0o600 })

const registrations = existsSync(APPSERVICES)
  ? readdirSync(APPSERVICES)
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => join(APPSERVICES, name))
  : []

const config = {
  server_name: serverName,
  public_baseurl: `http://${serverName}:8008`,
  listeners: [
    { address: '0.0.0.0', port: 8008, resources: ['client', 'federation', 'media', 'health'] },
    {
      address: '0.0.0.0',
      port: 8448,
      tls: { certificate: 'tls.crt', key: 'tls.key' },
      resources: ['client', 'federation', 'media'],
    },
  ],
  logging: { level: process.env['LOG_LEVEL'] ?? 'info' },
  registration: {
    enabled: true,
    flow: 'dummy',
    guests: true,
    // The suite knows it by this name.
    shared_secret: 'complement',
    allow_weak_shared_secret: true,
  },
  passwords: { min_length: 1, memory_kib: 1024, iterations: 1, wrong_attempts: false },
  // Tests of the suite name the creator in the power levels, which version 12 refuses.
  rooms: { default_room_version: '11' },
  presence: { enabled: true, federation: true },
  server_notices: { localpart: '_server' },
  rate_limits: { enabled: false },
  media: { legacy_unauthenticated: 'on' },
  url_previews: { enabled: true, allowed_ip_ranges: ['0.0.0.0/0', '::/0'] },
  appservices: registrations,
  federation: {
    ca_files: [join(AUTHORITY, 'ca.crt')],
    // Every server of the suite is on a private network.
    denied_ip_ranges: [],
    share_device_names: true,
    use_well_known: false,
    use_srv: false,
    backoff: { initial: '500ms', max: '5s' },
  },
}
const configFile = join(DATA, 'homeserver.yaml')
// JSON is YAML.
writeFileSync(configFile, `${JSON.stringify(config, undefined, 2)}\n`)

process.argv.splice(2, Infinity, 'serve', '--config', configFile)
await import(`${DIST}main.js`)
