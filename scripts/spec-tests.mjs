/**
 * npm run spec-tests -- [--homeserver URL] [--registration-secret SECRET] [--server-name NAME] [--only REGEXP]
 *                      [--deviations FILE] [--junit FILE] [--patience SECONDS] [--without FEATURES] [--write]
 *
 * Runs the tests of the specification's operations (spec-tests/api) against a homeserver, or against a node of ours that is started
 * for them, and reports by section and operation. See spec-tests/README.md.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runJest } from './jest.mjs'
import { prepare, ROOT } from './prepare.mjs'
import { explain, readDeviations } from './spec-tests/deviations.mjs'
import { junit } from './spec-tests/junit.mjs'
import { collect, untested } from './spec-tests/results.mjs'
import { text } from './spec-tests/text.mjs'
import { readWaits } from './spec-tests/waits.mjs'

const { values: options } = parseArgs({
  options: {
    homeserver: { type: 'string' },
    'registration-secret': { type: 'string' },
    'server-name': { type: 'string' },
    only: { type: 'string' },
    deviations: { type: 'string' },
    junit: { type: 'string' },
    patience: { type: 'string' },
    without: { type: 'string', default: '' },
    write: { type: 'boolean', default: false },
  },
})
if (options.write && (options.homeserver !== undefined || options.only !== undefined)) {
  console.error('--write keeps the results of all tests on a node of ours: leave --homeserver and --only out')
  process.exit(2)
}

if (options.patience !== undefined && !/^\d{1,6}$/.test(options.patience)) {
  console.error('--patience is a number of seconds')
  process.exit(2)
}
/** As in spec-tests/harness/section.ts. */
const FEATURES = ['registration', 'presence']
const without = options.without.split(',').filter(Boolean)
if (without.some((name) => !FEATURES.includes(name))) {
  console.error(`--without takes some of ${FEATURES.join(', ')}, with commas between them`)
  process.exit(2)
}
if (options.homeserver !== undefined) {
  const why = await unreachable(options.homeserver)
  if (why !== undefined) {
    console.error(`${options.homeserver} is no homeserver that can be reached: ${why}`)
    process.exit(2)
  }
}

prepare()
const folder = mkdtempSync(join(tmpdir(), 'chancery-spec-tests-'))
const output = join(folder, 'results.json')
const waits = join(folder, 'waits')
const env = { SPEC_TESTS_WAITS: waits }
if (options.homeserver !== undefined) env.SPEC_TESTS_HOMESERVER = options.homeserver.replace(/\/$/, '')
if (options['registration-secret'] !== undefined)
  env.SPEC_TESTS_REGISTRATION_SECRET = options['registration-secret']
const serverName = options['server-name'] ?? (await ownName(options.homeserver))
if (serverName !== undefined) env.SPEC_TESTS_SERVER_NAME = serverName
if (options.homeserver !== undefined) env.SPEC_TESTS_WITHOUT = without.join(',')
if (options.patience !== undefined) env.SPEC_TESTS_PATIENCE = options.patience

const args = ['--maxWorkers=2', '--json', `--outputFile=${output}`, 'spec-tests/api/']
if (options.only !== undefined) args.push('--testNamePattern', options.only)
// What jest says besides is in the report.
args.push('--silent', `--reporters=${join(ROOT, 'scripts', 'spec-tests', 'progress.mjs')}`)
const progress = options.homeserver === undefined ? 'ignore' : 'inherit'
runJest(args, { stdio: ['ignore', 'ignore', progress], env })

let report
let waited
try {
  report = JSON.parse(readFileSync(output, 'utf8'))
  waited = readWaits(waits)
} catch {
  console.error('the tests did not run: try npm test -- spec-tests/api')
  process.exit(1)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
for (const file of report.testResults.filter(({ assertionResults }) => assertionResults.length === 0)) {
  console.error(`${file.name} did not load:\n${file.message}`)
}

const results = collect(report, options.only)
const deviations = options.deviations === undefined ? [] : readDeviations(options.deviations)
const explained = explain(results, deviations)
const limited = results.operations.some(({ tests }) => tests.some(({ outcome }) => outcome === 'limited'))
// What was not tried did not occur.
const unused = options.only === undefined && !limited ? explained : []
const missing = options.only === undefined ? untested(results) : undefined
console.log(text(results, missing, { unused, waited, without }))
if (options.junit !== undefined) writeFileSync(options.junit, junit(results))
if (options.write) {
  const kept = {
    operations: results.operations.map(({ id, method, path, section, counts }) => ({
      id,
      method,
      path,
      section,
      ...counts,
    })),
    missing: missing?.map(({ id, method, path }) => ({ id, method, path })) ?? [],
  }
  if (missing === undefined) {
    console.error('the definitions are absent, so what is missing is not known: nothing is written')
    process.exit(1)
  }
  writeFileSync(join(ROOT, 'spec-tests', 'results.json'), `${JSON.stringify(kept, null, 1)}\n`)
}
const loaded = report.testResults.every(({ assertionResults }) => assertionResults.length > 0)
const failed = results.operations.some(({ tests }) => tests.some(({ outcome }) => outcome === 'failed'))
process.exitCode =
  loaded && !failed && !limited && unused.length === 0 && results.operations.length > 0 ? 0 : 1

/** What a server calls itself where it publishes its keys; undefined where it does not, and the tests ask with an account. */
async function ownName(url) {
  if (url === undefined) return undefined
  try {
    const answer = await fetch(`${url.replace(/\/$/, '')}/_matrix/key/v2/server`)
    const { server_name: name } = await answer.json()
    return answer.ok && typeof name === 'string' ? name : undefined
  } catch {
    return undefined
  }
}

/** Why nothing answers there as a homeserver does; undefined where one does. */
async function unreachable(url) {
  try {
    const answer = await fetch(`${url.replace(/\/$/, '')}/_matrix/client/versions`)
    const { versions } = await answer.json()
    return Array.isArray(versions)
      ? undefined
      : `/_matrix/client/versions answers ${answer.status} without versions`
  } catch (error) {
    return String(error.cause?.message ?? error.message)
  }
}
