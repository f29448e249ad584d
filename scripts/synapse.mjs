/**
 * node scripts/synapse.mjs [--required] [-- JEST ARGUMENTS]
 *
 * Runs spec-tests/synapse: a node of ours in a federation with a real Synapse, from PyPI, in the virtual environment outside
 * the tree that the oracle uses too. Where that cannot be made, it says so and ends with 0; with --required it fails.
 * The last line is `N passed, N failed`. CHANCERY_SYNAPSE_VERSIONS=10,12 bounds the room versions, CHANCERY_KEEP=1 keeps the
 * servers' folders, CHANCERY_SYNAPSE_LOG=DEBUG makes both talk.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { ensureSynapse } from './oracle/setup.mjs'

const given = process.argv.slice(2)
const required = given.includes('--required')
const rest = given.filter((argument) => argument !== '--required' && argument !== '--')

let python
try {
  python = ensureSynapse()
} catch (error) {
  console.error(error.message)
  console.log(`${required ? 'failed' : 'skipped'}: there is no Python with matrix-synapse`)
  process.exit(required ? 1 : 0)
}
const test = fileURLToPath(new URL('test.mjs', import.meta.url))
const done = spawnSync(process.execPath, [test, 'spec-tests/synapse', ...rest], {
  stdio: 'inherit',
  // The suite reads from our node's SQLite file which events were soft-failed.
  env: { ...process.env, CHANCERY_SYNAPSE_PYTHON: python, CHANCERY_TEST_STORE: undefined },
})
process.exitCode = done.status ?? 1
