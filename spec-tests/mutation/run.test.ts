import { readdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from '@jest/globals'
import { homeserver, type Homeserver } from '../harness/homeserver.js'
import { collectSections, type Case, type OperationTests, type Section } from '../harness/section.js'
import { isEquivalent } from './equivalent.js'
import { kindOf, mutantsOf, recorder, type Recording } from './mutants.js'
import { startBreakingProxy, type BreakingProxy, type Mutant, type Reply } from './proxy.js'

/**
 * Breaks a real node, one operation and one way at a time, and runs the tests of that operation: they must fail.
 * `npm run spec-tests:mutation` starts it; in `npm test` it does the operations of one section, to see that it works.
 */
const ONLY =
  process.env['MUTATION_ONLY'] ??
  (process.env['MUTATION_ALL'] === '1' ? '' : '^(setTyping|getRoomTags|logout)$')
const REPORT = process.env['MUTATION_REPORT']
const SECTIONS = new RegExp(process.env['MUTATION_SECTIONS'] ?? '')
const API = fileURLToPath(new URL('../api', import.meta.url))
/**
 * How long one case may take, in milliseconds: against a sound server as long as a busy machine needs; a broken one is found out sooner,
 * but not by a machine that is too slow for a sound one.
 */
const PATIENCE = { sound: 120_000, broken: 15_000, timesSound: 6 }

interface Survivor {
  readonly operation: string
  readonly mutant: string
}
interface Tally {
  mutants: number
  /** How many of each kind. */
  readonly kinds: Record<string, number>
  untouched: number
  /** Not tried, since they are known to be no different. */
  equivalent: number
  /** Noticed by nothing but a case that did not end. */
  readonly endless: Survivor[]
  readonly survivors: Survivor[]
  /** Operations whose tests fail without any mutant. */
  readonly unsound: string[]
}

type Outcome = 'passed' | 'failed' | 'endless'

async function outcomeOf({ run }: Case, server: Homeserver, patience: number): Promise<Outcome> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'endless'>((resolve) => {
    timer = setTimeout(() => resolve('endless'), patience)
  })
  const done = run(server).then(
    () => 'passed' as const,
    () => 'failed' as const,
  )
  const outcome = await Promise.race([done, late])
  clearTimeout(timer)
  return outcome
}

/** What a case saw of a sound server. */
interface SoundRun {
  readonly one: Case
  readonly replies: readonly Reply[]
  readonly ms: number
}

/** Runs the cases to the first that fails. Pre: the proxy records. */
async function soundRuns(
  tests: OperationTests,
  server: Homeserver,
  { replies }: Recording,
): Promise<readonly SoundRun[] | undefined> {
  const runs: SoundRun[] = []
  for (const one of tests.cases) {
    const [before, started] = [replies.length, performance.now()]
    if ((await outcomeOf(one, server, PATIENCE.sound)) !== 'passed') return undefined
    runs.push({ one, replies: replies.slice(before), ms: performance.now() - started })
  }
  return runs
}

/** First the cases that saw what the mutant changes, and of those the quickest: nearly always the first one notices. */
function inOrder(runs: readonly SoundRun[], { concerns }: Mutant): readonly SoundRun[] {
  const [seeing, others] = [true, false].map((wanted) =>
    runs.filter(({ replies }) => replies.some(concerns) === wanted).toSorted((a, b) => a.ms - b.ms),
  )
  return [...seeing!, ...others!]
}

async function outcomeOfMutant(
  runs: readonly SoundRun[],
  server: Homeserver,
  patience: number,
): Promise<Outcome> {
  for (const { one } of runs) {
    const outcome = await outcomeOf(one, server, patience)
    if (outcome !== 'passed') return outcome
  }
  return 'passed'
}

async function tryOperation(
  tests: OperationTests,
  proxy: BreakingProxy,
  server: Homeserver,
  tally: Tally,
): Promise<void> {
  const recording: Recording = { replies: [] }
  const end = proxy.use(tests.method, tests.path, recorder(recording))
  const runs = await soundRuns(tests, server, recording)
  end()
  if (runs === undefined) {
    tally.unsound.push(tests.id)
    return
  }
  const patience = Math.max(PATIENCE.broken, PATIENCE.timesSound * Math.max(...runs.map(({ ms }) => ms)))
  // Where nobody may register, an administrator is a stranger too.
  const stranger = await server.user('stranger').catch(() => server.administrator())
  for (const mutant of mutantsOf(tests.method, recording, stranger.token)) {
    if (isEquivalent(tests.id, mutant.name)) {
      tally.equivalent += 1
      continue
    }
    const stop = proxy.use(tests.method, tests.path, mutant)
    const outcome = await outcomeOfMutant(inOrder(runs, mutant), server, patience)
    const changed = stop()
    if (changed === 0) {
      tally.untouched += 1
      continue
    }
    tally.mutants += 1
    tally.kinds[kindOf(mutant)] = (tally.kinds[kindOf(mutant)] ?? 0) + 1
    const which = { operation: tests.id, mutant: mutant.name }
    if (outcome === 'passed') tally.survivors.push(which)
    if (outcome === 'endless') tally.endless.push(which)
  }
}

async function trySection({ node, operations }: Section, wanted: RegExp, tally: Tally): Promise<void> {
  const chosen = operations.filter(({ id }) => wanted.test(id))
  if (chosen.length === 0) return
  const real = await homeserver(node)
  const proxy = await startBreakingProxy(real.url)
  const behind = real.at(proxy.url)
  try {
    for (const tests of chosen) {
      await tryOperation(tests, proxy, behind, tally)
      // After each, so that a long run can be followed.
      if (REPORT !== undefined) writeFileSync(REPORT, JSON.stringify(tally))
    }
  } finally {
    await proxy.close()
    await real.dispose()
  }
}

it('a broken server is noticed by the tests of the operation that is broken', async () => {
  const sections = collectSections()
  for (const name of readdirSync(API)
    .filter((entry) => entry.endsWith('.test.ts') && SECTIONS.test(entry))
    .sort())
    await import(`${API}/${name}`)
  const tally: Tally = {
    mutants: 0,
    kinds: {},
    untouched: 0,
    equivalent: 0,
    endless: [],
    survivors: [],
    unsound: [],
  }
  for (const section of sections) await trySection(section, new RegExp(ONLY), tally)
  expect(tally.unsound).toEqual([])
  expect(tally.mutants).toBeGreaterThan(0)
  if (REPORT === undefined) expect(tally.survivors).toEqual([])
}, 7_200_000)
