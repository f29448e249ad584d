import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

// Mutation testing of one folder of the core; run.mjs says which. What it makes lies outside the tree: the sandbox, the
// report, and the results that the next run starts from.
const scope = process.env['CHANCERY_MUTATION_SCOPE'] ?? 'auth'
const folder = join(process.env['CHANCERY_MUTATION_DIR'] ?? join(tmpdir(), 'chancery-mutation'), scope)
const here = (name) => fileURLToPath(new URL(name, import.meta.url))

/** @type {import('@stryker-mutator/api/core').PartialStrykerOptions} */
export default {
  mutate: [`src/core/${scope}/**/*.ts`, '!**/*.test.ts', '!**/testing*.ts'],
  thresholds: { high: 95, low: 90, break: 85 },
  testRunner: 'in-process',
  // Only the tests beside the rules: they must find a mutant by themselves, and in little time. Left out is what measures time.
  inProcess: { testFolder: scope, skip: '-time.test.js' },
  coverageAnalysis: 'perTest',
  plugins: [here('./in-process-runner.mjs'), here('./ignore-prose.mjs')],
  ignorers: ['prose'],
  // The preprocessor of Stryker 9 does not load with TypeScript 7, and the sandbox has no use for a tsconfig: it names none.
  tsconfigFile: 'none.json',
  ignorePatterns: ['/*', '!/src', '/src/*', '!/src/core', '!/package.json'],
  concurrency: 2,
  // Mutants that never end are found by counting; time is only the second net, and a busy machine needs some.
  timeoutMS: 20_000,
  dryRunTimeoutMinutes: 15,
  incremental: true,
  incrementalFile: join(folder, 'incremental.json'),
  tempDirName: join(folder, 'sandbox'),
  reporters: ['clear-text', 'progress-append-only', 'json'],
  jsonReporter: { fileName: join(folder, 'report.json') },
  clearTextReporter: { reportTests: false, allowColor: false },
}
