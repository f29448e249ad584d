import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'

const SCRIPT = fileURLToPath(new URL('../../scripts/complement/compare.mjs', import.meta.url))

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chancery-compare-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

type Outcomes = Readonly<Record<string, 'pass' | 'fail' | 'skip' | 'unfinished'>>

/** A log as `go test -json` writes it: everything that began, and how it ended. */
async function log(name: string, outcomes: Outcomes): Promise<string> {
  const shared = { Time: '2026-11-22T21:00:00Z', Package: 'example.org/suite/tests/csapi' }
  const lines = [{ ...shared, Action: 'start' } as object]
  for (const [Test, Action] of Object.entries(outcomes)) {
    lines.push({ ...shared, Action: 'run', Test })
    if (Action !== 'unfinished') lines.push({ ...shared, Action, Test })
  }
  lines.push({ ...shared, Action: 'pass' })
  const file = join(folder, name)
  await writeFile(file, `FAIL not JSON\n${lines.map((line) => JSON.stringify(line)).join('\n')}\n{"Act`)
  return file
}

const run = (...args: string[]): Promise<{ readonly code: number; readonly text: string }> =>
  new Promise((resolve) => {
    const all = [SCRIPT, ...args, '--baseline', join(folder, 'baseline.jsonl')]
    execFile(process.execPath, all, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), text: stdout + stderr }),
    )
  })

const FIRST: Outcomes = {
  TestA: 'fail',
  'TestA/one': 'pass',
  'TestA/two': 'fail',
  TestB: 'pass',
  TestC: 'skip',
}

describe('outcomes of Complement', () => {
  it('are kept by leaf, sorted, with where they come from', async () => {
    expect((await run(await log('first', FIRST), '--write', '--suite', 'abc')).code).toBe(0)
    const [header, ...rows] = (await readFile(join(folder, 'baseline.jsonl'), 'utf8')).trim().split('\n')
    expect(JSON.parse(header!)).toEqual({
      suite: 'abc',
      date: '2026-11-22',
      log_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
    expect(rows.map((row) => JSON.parse(row))).toEqual([
      { package: 'csapi', test: 'TestA/one', outcome: 'pass' },
      { package: 'csapi', test: 'TestA/two', outcome: 'fail' },
      { package: 'csapi', test: 'TestB', outcome: 'pass' },
      { package: 'csapi', test: 'TestC', outcome: 'skip' },
    ])
  })

  it('are compared: each change is named, and a leaf that is not there is worse than one that passed', async () => {
    await run(await log('first', FIRST), '--write', '--suite', 'abc')
    expect((await run(await log('same', FIRST))).code).toBe(0)
    const { code, text } = await run(
      await log('later', {
        TestA: 'pass',
        'TestA/one': 'pass',
        'TestA/two': 'pass',
        TestC: 'skip',
        TestD: 'fail',
      }),
    )
    expect(code).toBe(1)
    expect(text).toContain('better: csapi TestA/two (fail → pass)')
    expect(text).toContain('worse: csapi TestB (pass → not there)')
    expect(text).toContain('new: csapi TestD (not there → fail)')
    expect(text).toContain('1 better or new, 1 worse')
  })

  it('of a run that did not end become no baseline', async () => {
    const { code, text } = await run(
      await log('killed', { TestA: 'pass', TestB: 'unfinished' }),
      '--write',
      '--suite',
      'x',
    )
    expect(code).toBe(2)
    expect(text).toContain('csapi TestB')
  })
})
