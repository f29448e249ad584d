import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { ROOT } from './prepare.mjs'

const JEST = join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js')

/** Runs jest with the arguments, and waits. `env` comes over this process's own; `stdio` as for `spawnSync`. */
export function runJest(args, { stdio, env = {} }) {
  // The tests and the program are modules of ECMAScript, which jest loads with what Node calls an experiment.
  const nodeOptions = [
    process.env['NODE_OPTIONS'],
    '--experimental-vm-modules --disable-warning=ExperimentalWarning',
  ]
  return spawnSync(process.execPath, [JEST, ...args], {
    cwd: ROOT,
    stdio,
    env: { ...process.env, ...env, NODE_OPTIONS: nodeOptions.filter(Boolean).join(' ') },
  })
}
