/**
 * npm test [-- JEST ARGUMENTS]
 *
 * Makes the clone ready and runs the tests. The last line is `N passed, N failed`; a test file that does not load counts as
 * one failed. With arguments only some run: `npm test -- src/core`.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runJest } from './jest.mjs'
import { prepare } from './prepare.mjs'

/** Runs jest with the given arguments and gives the counts. */
function runTests(args) {
  const folder = mkdtempSync(join(tmpdir(), 'chancery-test-'))
  const results = join(folder, 'results.json')
  try {
    const done = runJest(
      ['--maxWorkers=2', '--json', `--outputFile=${results}`, ...args],
      // With --json jest writes the results to standard output too; the report for people is on standard error.
      { stdio: ['ignore', 'ignore', 'inherit'] },
    )
    const report = JSON.parse(readFileSync(results, 'utf8'))
    const skipped = report.numPendingTests + report.numTodoTests
    const failed = report.numFailedTests + report.numRuntimeErrorTestSuites
    return { passed: report.numPassedTests, failed, skipped, ok: done.status === 0 && failed === 0 }
  } catch (error) {
    console.error(`jest gave no results: ${error.message}`)
    return { passed: 0, failed: 1, skipped: 0, ok: false }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

// What ends the preparation, such as sources that do not compile, ends this process: it has run no test, and has failed.
const brokenOff = () => console.log('0 passed, 1 failed')
process.once('exit', brokenOff)
prepare()
process.off('exit', brokenOff)
const { passed, failed, skipped, ok } = runTests(process.argv.slice(2))
if (skipped > 0) console.log(`${skipped} skipped`)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = ok ? 0 : 1
