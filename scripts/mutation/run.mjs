/**
 * npm run mutation [-- auth|state] [-- STRYKER ARGUMENTS]
 *
 * Changes the auth rules and state resolution in more than a thousand small ways and sees whether the tests beside them
 * notice. Fails where less than 85 % of the mutants of a folder are found. Runs only what changed since the last run;
 * `--force` runs all.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { checkNode, installDependencies, ROOT } from '../prepare.mjs'

const SCOPES = ['auth', 'state']

const args = process.argv.slice(2)
const chosen = SCOPES.filter((scope) => args.includes(scope))
const stryker = join(ROOT, 'node_modules', '@stryker-mutator', 'core', 'bin', 'stryker.js')
const results = []

checkNode()
installDependencies()
for (const scope of chosen.length > 0 ? chosen : SCOPES) {
  console.log(`\n== src/core/${scope}`)
  const started = process.hrtime.bigint()
  const done = spawnSync(
    process.execPath,
    [
      stryker,
      'run',
      join('scripts', 'mutation', 'stryker.config.mjs'),
      ...args.filter((arg) => !SCOPES.includes(arg)),
    ],
    { cwd: ROOT, stdio: 'inherit', env: { ...process.env, CHANCERY_MUTATION_SCOPE: scope } },
  )
  const seconds = Number(process.hrtime.bigint() - started) / 1e9
  results.push({ scope, ok: done.status === 0, seconds })
}
for (const { scope, ok, seconds } of results) {
  console.log(`${ok ? 'passed' : 'FAILED'}  src/core/${scope.padEnd(6)} ${seconds.toFixed(0).padStart(6)} s`)
}
process.exitCode = results.every(({ ok }) => ok) ? 0 : 1
