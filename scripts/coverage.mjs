/**
 * npm run coverage
 *
 * Runs the tests of the core and says which of its lines no test reaches. Fails under 95 % of the lines, or when a test fails.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runJest } from './jest.mjs'
import { checkNode, installDependencies } from './prepare.mjs'

/** Not measured: tests, what only tests use, and files that hold types alone, of which nothing is left to run. */
const LEFT_OUT = [
  '**/*.test.ts',
  '**/testing*.ts',
  'src/core/room-version/rules.ts',
  'src/core/state/resolution.ts',
]

checkNode()
installDependencies()
const folder = mkdtempSync(join(tmpdir(), 'chancery-coverage-'))
try {
  const done = runJest(
    [
      '--maxWorkers=2',
      '--coverage',
      '--coverageProvider=v8',
      '--coverageReporters=text',
      `--coverageDirectory=${folder}`,
      ...['src/core/**/*.ts', ...LEFT_OUT.map((glob) => `!${glob}`)].map(
        (glob) => `--collectCoverageFrom=${glob}`,
      ),
      `--coverageThreshold=${JSON.stringify({ global: { lines: 95 } })}`,
      'src/core/',
    ],
    { stdio: 'inherit' },
  )
  process.exitCode = done.status === 0 ? 0 : 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
