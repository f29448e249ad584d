/**
 * node scripts/complement/compare.mjs LOG… [--baseline FILE] [--write --suite COMMIT]
 *
 * Compares logs of `go test -json`, together a whole run, with the outcomes that were committed last, and names each leaf (a test without
 * sub-tests) that is better or worse. Exits with 1 where something is worse. A leaf that the logs lack counts as failed, so a run that ended early is
 * no better run. With --write the logs become the new baseline; those of a run that did not end are refused.
 */
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { fileURLToPath } from 'node:url'

const BASELINE = fileURLToPath(new URL('../../spec-tests/complement-baseline.jsonl', import.meta.url))
const OUTCOMES = new Set(['pass', 'fail', 'skip'])

/** The lines of a log that are events; what else `go test` prints is passed over. */
function* eventsOf(text) {
  for (const line of text.split('\n')) {
    if (!line.startsWith('{')) continue
    try {
      yield JSON.parse(line)
    } catch {
      // The last line of a run that was killed is half a line.
    }
  }
}

const byName = (a, b) => (a < b ? -1 : 1)
const shortPackage = (name) => name.slice(name.lastIndexOf('/') + 1)

/** Outcomes of all leaves as `package test` → outcome, and what began but did not end. */
function readLogs(texts) {
  const outcomes = new Map()
  const unfinished = new Set()
  let earliest
  for (const text of texts) {
    for (const { Action: action, Package: name, Test: test, Time: time } of eventsOf(text)) {
      if (name === undefined) continue
      earliest = earliest === undefined || time < earliest ? time : earliest
      const key = test === undefined ? shortPackage(name) : `${shortPackage(name)} ${test}`
      if (action === 'run' || action === 'start') unfinished.add(key)
      if (!OUTCOMES.has(action)) continue
      unfinished.delete(key)
      if (test !== undefined) outcomes.set(key, action)
    }
  }
  const parents = new Set()
  for (const key of outcomes.keys()) {
    for (let at = key.indexOf('/'); at !== -1; at = key.indexOf('/', at + 1)) parents.add(key.slice(0, at))
  }
  const leaves = new Map([...outcomes].filter(([key]) => !parents.has(key)))
  return { leaves, unfinished: [...unfinished], date: earliest?.slice(0, 10) }
}

function readBaseline(file) {
  const [header, ...rows] = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  return { header, leaves: new Map(rows.map((row) => [`${row.package} ${row.test}`, row.outcome])) }
}

const count = (leaves, outcome) => [...leaves.values()].filter((one) => one === outcome).length
const summary = (leaves) =>
  `${count(leaves, 'pass')} passed, ${count(leaves, 'fail')} failed, ${count(leaves, 'skip')} skipped of ${leaves.size}`

function write(file, texts, suite) {
  const { leaves, unfinished, date } = readLogs(texts)
  if (leaves.size === 0) throw new Error('The logs hold no outcome.')
  if (unfinished.length > 0)
    throw new Error(`The run did not end: ${unfinished.slice(0, 5).join(', ')} began and have no outcome.`)
  const hash = createHash('sha256')
  for (const text of texts) hash.update(text)
  const header = { suite, date, log_sha256: hash.digest('hex') }
  const rows = [...leaves.keys()].sort(byName).map((key) => {
    const at = key.indexOf(' ')
    return { package: key.slice(0, at), test: key.slice(at + 1), outcome: leaves.get(key) }
  })
  writeFileSync(file, [header, ...rows].map((row) => `${JSON.stringify(row)}\n`).join(''))
  console.log(`Written: ${summary(leaves)}.`)
}

function compare(file, texts) {
  const { header, leaves: before } = readBaseline(file)
  const { leaves: now } = readLogs(texts)
  let worse = 0
  let better = 0
  for (const key of [...new Set([...before.keys(), ...now.keys()])].sort(byName)) {
    const [then, today] = [before.get(key), now.get(key) ?? 'fail']
    if (then === today) continue
    const good = today !== 'fail'
    // A new leaf that fails takes nothing from anybody.
    if (good) better++
    else if (then !== undefined) worse++
    const what = then === undefined ? 'new' : good ? 'better' : 'worse'
    console.log(`${what}: ${key} (${then ?? 'not there'} → ${now.get(key) ?? 'not there'})`)
  }
  console.log(`Baseline of ${header.date}, suite ${header.suite.slice(0, 8)}: ${summary(before)}.`)
  console.log(`These logs: ${summary(now)}; ${better} better or new, ${worse} worse.`)
  return worse === 0
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    baseline: { type: 'string', default: BASELINE },
    suite: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
})
if (positionals.length === 0 || (values.write && values.suite === undefined)) {
  console.error('node scripts/complement/compare.mjs LOG… [--baseline FILE] [--write --suite COMMIT]')
  process.exit(2)
}
const texts = positionals.map((file) => readFileSync(file, 'utf8'))
try {
  if (values.write) write(values.baseline, texts, values.suite)
  else if (!compare(values.baseline, texts)) process.exitCode = 1
} catch (error) {
  console.error(error.message)
  process.exitCode = 2
}
