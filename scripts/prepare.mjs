/**
 * Makes a clone ready to run: dependencies, native modules, build. Each step does nothing when there is nothing to do.
 * Needs only Node and npm. The steps are used by `npm start`, `npm test`, `npm run check` and the demo.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('..', import.meta.url))
const inRoot = (...parts) => join(ROOT, ...parts)

/** As `engines` in package.json says: in between there is no SQLite driver that is well on it. */
const OLDEST_NODE = [20, 19]
const OLDEST_NODE_22 = [22, 14]

/** Ends the program with a message that tells what to do. */
export function giveUp(message, code = 1) {
  process.stderr.write(`\n${message}\n`)
  process.exit(code)
}

const say = (message) => process.stderr.write(`chancery: ${message}\n`)

function run(command, args, options = {}) {
  const done = spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 2, 2], ...options })
  return done.status === 0
}

/** npm itself, wherever it was started from. */
function npm(...args) {
  const script = process.env['npm_execpath']
  if (script?.endsWith('.js')) return run(process.execPath, [script, ...args])
  return run('npm', args, { shell: process.platform === 'win32' })
}

export function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  const isOlder = ([wantedMajor, wantedMinor]) =>
    major < wantedMajor || (major === wantedMajor && minor < wantedMinor)
  if (isOlder(OLDEST_NODE) || (major > OLDEST_NODE[0] && isOlder(OLDEST_NODE_22))) {
    giveUp(
      `Chancery needs Node ${OLDEST_NODE.join('.')}, or ${OLDEST_NODE_22.join('.')} or newer; this is ${process.versions.node}.`,
    )
  }
}

function installLoosely() {
  say('npm ci refused; trying npm install, which keeps the locked versions')
  return npm('install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error')
}

const lockHash = () =>
  createHash('sha256')
    .update(readFileSync(inRoot('package-lock.json')))
    .digest('hex')
const modifiedAt = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0)

export function installDependencies() {
  const stamp = inRoot('node_modules', '.chancery-lock')
  const wanted = lockHash()
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  // Somebody else's `npm install` after the last change of the lock file will do as well.
  const installed = modifiedAt(inRoot('node_modules', '.package-lock.json'))
  if (installed < modifiedAt(inRoot('package-lock.json')) || installed === 0) {
    say('installing dependencies (npm ci); the first time takes some minutes')
    // A lock file written on one system may lack packages that only another one has; `npm ci` refuses it there, while
    // `npm install` adds them and keeps every version that is locked.
    if (!npm('ci', '--no-audit', '--no-fund', '--loglevel=error') && !installLoosely()) {
      giveUp('The dependencies could not be installed. Mend what stands above; then run: npm ci')
    }
  }
  writeFileSync(stamp, wanted)
}

/** Whether a native module works in a fresh process; a broken one may crash instead of throwing. */
const works = (code) => run(process.execPath, ['-e', code], { stdio: 'ignore' })

/** As in src/storage/sqlite-driver.ts, which says why there are two. */
export const SQLITE_DRIVER = Number(process.versions.napi) >= 10 ? 'better-sqlite3' : 'better-sqlite3-node20'

const NATIVE = [
  [SQLITE_DRIVER, `new (require('${SQLITE_DRIVER}'))(':memory:').prepare('SELECT 1').get()`],
  ['@node-rs/argon2', "require('@node-rs/argon2').hashSync('x', { memoryCost: 64 })"],
  ['sharp', "require('sharp')"],
]

/** npm may leave install scripts out, and another version of Node needs another build. */
export function checkNativeModules() {
  const stamp = inRoot('node_modules', '.chancery-native')
  const now = `${lockHash()} ${process.version} ${process.platform} ${process.arch}`
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === now) return
  for (const [name, code] of NATIVE) {
    if (works(code)) continue
    say(`${name} does not load in Node ${process.version}; building it (npm rebuild ${name})`)
    if (npm('rebuild', name) && works(code)) continue
    giveUp(
      `${name} is a native module, and it could not be built for Node ${process.version} on ${process.platform}.\n` +
        'It comes ready-made for most systems when npm can reach the network; to build it from source, a C++ compiler,\n' +
        'make and Python 3 are needed (Debian: apt-get install build-essential python3). Then run:\n\n' +
        `    npm rebuild ${name} && npm start`,
    )
  }
  writeFileSync(stamp, now)
}

function newest(path) {
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))))
}

/** Compiles `src` to `dist` when a source is newer than the last build. */
export function build() {
  const stamp = inRoot('dist', '.built')
  const sources = ['src', 'tsconfig.json', 'package-lock.json'].map((name) => newest(inRoot(name)))
  if (modifiedAt(stamp) >= Math.max(...sources)) return
  say('building')
  const started = new Date()
  const require = createRequire(import.meta.url)
  const tsc = join(require.resolve('typescript/package.json'), '..', 'bin', 'tsc')
  if (!run(process.execPath, [tsc, '-p', inRoot('src', 'tsconfig.build.json')])) {
    giveUp('The sources do not compile; the reasons stand above.')
  }
  writeFileSync(stamp, `${started.toISOString()}\n`)
}

/** All of it. */
export function prepare() {
  checkNode()
  installDependencies()
  checkNativeModules()
  build()
}
