/**
 * npm run spec-tests:mutation -- [--only REGEXP] [--sections REGEXP] [--report FILE]
 *
 * --only names operations, --sections files of spec-tests/api; the report is JSON, written after each operation.
 *
 * Tests the tests of spec-tests/api: a proxy breaks a real node, one operation and one way at a time; the tests of that operation must
 * fail. Prints what survived. Ends with 1 where something did.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { runJest } from '../jest.mjs'
import { prepare } from '../prepare.mjs'

const { values } = parseArgs({
  options: { only: { type: 'string' }, sections: { type: 'string' }, report: { type: 'string' } },
})
prepare()
const folder = mkdtempSync(join(tmpdir(), 'chancery-mutation-'))
const report = values.report === undefined ? join(folder, 'report.json') : resolve(values.report)
const done = runJest(['--runInBand', 'spec-tests/mutation/run'], {
  stdio: ['ignore', 'ignore', 'pipe'],
  env: {
    MUTATION_ALL: '1',
    MUTATION_REPORT: report,
    ...(values.only === undefined ? {} : { MUTATION_ONLY: values.only }),
    ...(values.sections === undefined ? {} : { MUTATION_SECTIONS: values.sections }),
  },
})
try {
  const { mutants, kinds, untouched, equivalent, endless, survivors, unsound } = JSON.parse(
    readFileSync(report, 'utf8'),
  )
  for (const { operation, mutant } of survivors) console.log(`survived  ${operation.padEnd(34)} ${mutant}`)
  for (const { operation, mutant } of endless)
    console.log(
      `endless   ${operation.padEnd(34)} ${mutant}: noticed by a test that waits, and by nothing else`,
    )
  for (const operation of unsound) console.log(`unsound   ${operation.padEnd(34)} fails on a sound server`)
  for (const [kind, count] of Object.entries(kinds)) console.log(`${String(count).padStart(6)}  ${kind}`)
  console.log(
    `${mutants} mutants: ${mutants - survivors.length} noticed, ${survivors.length} survived (${untouched} more changed nothing, ${equivalent} are known to be equivalent)`,
  )
  process.exitCode = survivors.length === 0 && unsound.length === 0 ? 0 : 1
} catch {
  console.error(done.stderr.toString())
  process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
