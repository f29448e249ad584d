/**
 * node scripts/spec-tests/synapse.mjs [--only REGEXP] [--junit FILE]
 *
 * Runs the tests of the specification's operations against a real Synapse, from PyPI in the virtual environment outside the tree. What it
 * is known to do otherwise stands in spec-tests/synapse-deviations.yaml; ends with 1 where anything else fails, or where something that
 * stands there passes. CHANCERY_KEEP=1 keeps the server's folder.
 */
import { spawn, spawnSync } from 'node:child_process'
import { openSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../free-port.mjs'
import { ensureSynapse } from '../oracle/setup.mjs'
import { ROOT } from '../prepare.mjs'
import { limitlessRates } from './synapse-rates.mjs'

const SECRET = 'the secret of the tests'
const START_MS = 60_000

/** The file homeserver.yaml; JSON is YAML. Optional features of Synapse that the specification has are on. */
const configuration = (folder, port) => ({
  server_name: 'localhost',
  public_baseurl: `http://127.0.0.1:${port}/`,
  listeners: [
    {
      port,
      tls: false,
      type: 'http',
      bind_addresses: ['127.0.0.1'],
      resources: [{ names: ['client', 'federation'], compress: false }],
    },
  ],
  database: { name: 'sqlite3', args: { database: join(folder, 'homeserver.db') } },
  media_store_path: join(folder, 'media'),
  signing_key_path: join(folder, 'signing.key'),
  pid_file: join(folder, 'pid'),
  report_stats: false,
  macaroon_secret_key: 'the macaroons of the tests',
  form_secret: 'the forms of the tests',
  trusted_key_servers: [],
  suppress_key_server_warning: true,
  registration_shared_secret: SECRET,
  enable_registration: true,
  enable_registration_without_verification: true,
  allow_guest_access: true,
  bcrypt_rounds: 4,
  login_via_existing_session: { enabled: true, require_ui_auth: true },
  presence: { enabled: true },
  room_list_publication_rules: [{ action: 'allow' }],
  // A test that looks at once after its change would be given what was true before.
  caches: { sync_response_cache_duration: 0 },
  // Proposals that have tests.
  experimental_features: {
    msc3391_enabled: true,
    msc3814_enabled: true,
    msc4143_enabled: true,
  },
  matrix_rtc: { transports: [{ type: 'livekit', livekit_service_url: 'https://rtc.example/' }] },
  ...limitlessRates,
})

/** Starts it and waits until it answers. */
async function started(python, folder, port) {
  const file = join(folder, 'homeserver.yaml')
  writeFileSync(file, JSON.stringify(configuration(folder, port)))
  const keys = spawnSync(python, ['-m', 'synapse.app.homeserver', '-c', file, '--generate-keys'], {
    cwd: folder,
    encoding: 'utf8',
  })
  if (keys.status !== 0) throw new Error(`Synapse made no keys: ${keys.stderr}`)
  const output = openSync(join(folder, 'output.txt'), 'a')
  const child = spawn(python, ['-m', 'synapse.app.homeserver', '-c', file], {
    cwd: folder,
    stdio: ['ignore', output, output],
  })
  process.once('exit', () => child.kill('SIGKILL'))
  for (const deadline = Date.now() + START_MS; ; await sleep(200)) {
    try {
      if ((await fetch(`http://127.0.0.1:${port}/_matrix/client/versions`)).ok) return child
    } catch {
      // Not yet.
    }
    if (child.exitCode !== null || Date.now() > deadline)
      throw new Error(`Synapse did not start: see ${join(folder, 'output.txt')}`)
  }
}

const folder = mkdtempSync(join(tmpdir(), 'chancery-spec-tests-synapse-'))
const port = await freePort()
const child = await started(ensureSynapse(), folder, port)
const done = spawnSync(
  process.execPath,
  [
    join(ROOT, 'scripts', 'spec-tests.mjs'),
    ...['--homeserver', `http://127.0.0.1:${port}`, '--registration-secret', SECRET],
    ...['--deviations', join(ROOT, 'spec-tests', 'synapse-deviations.yaml')],
    ...process.argv.slice(2),
  ],
  { stdio: 'inherit' },
)
const ended = new Promise((resolve) => child.once('close', resolve))
child.kill('SIGTERM')
await ended
if (process.env['CHANCERY_KEEP'] === undefined) rmSync(folder, { recursive: true, force: true })
process.exitCode = done.status ?? 1
