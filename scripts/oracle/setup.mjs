/**
 * Makes the virtual environment that holds Synapse, outside the tree, and prints the path of its Python.
 *
 * The folder is `$CHANCERY_ORACLE_CACHE`, or `~/.cache/chancery-oracle`; its name carries the pinned version,
 * so that a new pin makes a new one. Running it again with the environment in place takes milliseconds.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const REQUIREMENTS = fileURLToPath(new URL('requirements.txt', import.meta.url))

function run(command, args) {
  const done = spawnSync(command, args, { encoding: 'utf8', timeout: 15 * 60_000 })
  if (done.status !== 0) {
    const why = done.error?.message ?? `${done.stdout ?? ''}${done.stderr ?? ''}`.trim().slice(-2_000)
    throw new Error(`${command} ${args.join(' ')} failed: ${why}`)
  }
}

/** The path of a Python in which `import synapse` works; makes the environment when it is missing or half made. */
export function ensureSynapse() {
  const pin = readFileSync(REQUIREMENTS, 'utf8').trim()
  const cache = process.env['CHANCERY_ORACLE_CACHE'] ?? join(homedir(), '.cache', 'chancery-oracle')
  const folder = join(cache, pin.replace('==', '-'))
  const python = join(folder, 'bin', 'python')
  const stamp = join(folder, 'complete')
  if (existsSync(stamp) && existsSync(python)) return python
  process.stderr.write(`making the oracle's environment in ${folder}\n`)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(cache, { recursive: true })
  run(process.env['PYTHON'] ?? 'python3', ['-m', 'venv', folder])
  run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', REQUIREMENTS])
  run(python, ['-c', 'import synapse.event_auth, synapse.state.v1, synapse.state.v2'])
  // Written last: an environment without it is one that was interrupted, and is made anew.
  writeFileSync(stamp, `${pin}\n`)
  return python
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  console.log(ensureSynapse())
}
