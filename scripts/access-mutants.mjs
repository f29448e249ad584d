/**
 * Deletes each access rule at each place where events are judged, one at a time, in a copy of the sources, and shows the test that fails then.
 *
 *   node scripts/access-mutants.mjs [--only TEXT] [--write]
 *
 * `--only`: mutants whose name has the text. `--write`: writes docs/access-mutants.md. Ends with 1 where a mutant is not caught.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { accessMutants, mutated } from './access-mutants/mutants.mjs'
import { accessMutantsPage } from './access-mutants/page.mjs'
import { ROOT } from './prepare.mjs'

const { values } = parseArgs({ options: { only: { type: 'string' }, write: { type: 'boolean' } } })
const mutants = accessMutants().filter(({ name }) => name.includes(values.only ?? ''))

const folder = mkdtempSync(join(tmpdir(), 'chancery-access-'))
const report = join(folder, 'report.json')

/** The names of the tests that fail, and how many there were. */
function run(files, pattern) {
  const started = spawnSync(
    process.execPath,
    [
      ...[
        '--experimental-vm-modules',
        '--no-warnings',
        join(ROOT, 'node_modules/jest/bin/jest.js'),
        '-w',
        '1',
      ],
      ...['--rootDir', folder, '--json', '--outputFile', report],
      ...(pattern === undefined ? [] : ['-t', pattern]),
      ...files,
    ],
    { cwd: folder, stdio: 'ignore' },
  )
  if (started.error !== undefined) throw started.error
  const { testResults } = JSON.parse(readFileSync(report, 'utf8'))
  const tests = testResults.flatMap((file) => file.assertionResults)
  const broken = testResults.filter((file) => file.assertionResults.length === 0)
  if (broken.length > 0) throw new Error(broken[0].message)
  const ran = tests.filter(({ status }) => status === 'passed' || status === 'failed')
  return {
    ran: ran.length,
    failed: ran.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName),
  }
}

let missed = 0
try {
  for (const name of ['src', 'spec-tests', 'scripts'])
    cpSync(join(ROOT, name), join(folder, name), { recursive: true })
  cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'))
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  const sound = run([...new Set(mutants.flatMap(({ tests }) => tests))])
  if (sound.failed.length > 0) throw new Error(`without any mutant there fails: ${sound.failed[0]}`)
  for (const mutant of mutants) {
    const path = join(folder, mutant.file)
    const text = readFileSync(path, 'utf8')
    writeFileSync(path, mutated(mutant, text))
    const { ran, failed } = run(mutant.tests, mutant.pattern)
    writeFileSync(path, text)
    mutant.caughtBy = failed[0]
    if (failed.length === 0) missed += 1
    console.log(`${mutant.name.padEnd(46)} ${failed[0] ?? `NOT CAUGHT by ${ran} tests`}`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
console.log(`${mutants.length - missed} of ${mutants.length} deletions are caught`)
if (values.write === true && values.only === undefined)
  writeFileSync(join(ROOT, 'docs/access-mutants.md'), accessMutantsPage(mutants))
process.exitCode = missed > 0 ? 1 : 0
