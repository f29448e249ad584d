/**
 * npm run check [-- --without-tests]
 *
 * Everything that a change must pass: format, lint, types, generated files, architecture, tests. Runs all steps, whatever fails,
 * and ends with a table and the line `N passed, N failed` (steps).
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { checkNativeModules, checkNode, installDependencies, ROOT } from './prepare.mjs'

const bin = (name, ...path) => join(ROOT, 'node_modules', name, ...path)

const STEPS = [
  {
    name: 'format',
    // Looks at what has changed since the last time, by content: a checkout gives old files a new time.
    args: [bin('prettier', 'bin', 'prettier.cjs'), '--check', '--cache', '--cache-strategy', 'content', '--log-level', 'warn', '.'], // prettier-ignore
  },
  { name: 'lint', args: [bin('oxlint', 'bin', 'oxlint'), '--type-aware'] },
  { name: 'types', args: [bin('typescript', 'bin', 'tsc'), '-p', 'tsconfig.json', '--noEmit'] },
  { name: 'generated files', args: [join(ROOT, 'scripts', 'generated.mjs')] },
  { name: 'architecture', args: [join(ROOT, 'scripts', 'test.mjs'), 'src/architecture.test.ts'] },
]
const TESTS = { name: 'tests', args: [join(ROOT, 'scripts', 'test.mjs')] }

// Without the build: what does not compile is a step that fails, and no reason to leave the others out.
checkNode()
installDependencies()
checkNativeModules()
const steps = process.argv.includes('--without-tests') ? STEPS : [...STEPS, TESTS]
const results = []
for (const { name, args } of steps) {
  console.log(`\n== ${name}`)
  const started = process.hrtime.bigint()
  const done = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' })
  const seconds = Number(process.hrtime.bigint() - started) / 1e9
  results.push({ name, ok: done.status === 0, seconds })
}
console.log('')
for (const { name, ok, seconds } of results) {
  console.log(`${ok ? 'passed' : 'FAILED'}  ${name.padEnd(16)} ${seconds.toFixed(1).padStart(6)} s`)
}
const failed = results.filter(({ ok }) => !ok).length
console.log(`${results.length - failed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
