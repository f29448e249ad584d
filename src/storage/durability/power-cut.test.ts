import { execFileSync, spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { numbersFrom } from '../../platform/testing-numbers.js'
import { startChild } from '../../platform/testing-child.js'
import { findFaults, parseAcknowledged } from './check-load.js'
import type { ChildTask } from './child.js'
import { compileForChild } from './compile.js'
import { readDiskLog, replay, type DiskRecord } from './disk-log.js'

const CUTS = Number(process.env['CHANCERY_CUTS'] ?? 50)
const KILLS = 50
/** Each lane is a database of its own, so that two processes run at a time. */
const LANES = 2
const LUCK = [0, 0.1, 0.5, 0.9, 1]

const seed = Number(process.env['CHANCERY_CUT_SEED'] ?? Date.now() % 2 ** 31)
const base = realpathSync(mkdtempSync(join(tmpdir(), 'chancery-cut-')))
const shim = join(base, 'shim.so')
let child: string
let folders = 0

function freshFolder(): string {
  const folder = join(base, `f${folders++}`)
  mkdirSync(folder)
  return folder
}

const compiler = spawnSync('gcc', ['--version']).status === 0 && process.platform === 'linux'
if (!compiler) console.warn('the power-cut test was skipped: it needs Linux and gcc')

beforeAll(() => {
  child = compileForChild(join(base, 'compiled'))
  if (!compiler) return
  const source = fileURLToPath(new URL('./shim.c', import.meta.url))
  execFileSync('gcc', ['-shared', '-fPIC', '-O2', '-o', shim, source, '-ldl', '-lpthread'])
})

afterAll(() => {
  rmSync(base, { recursive: true, force: true })
})

/** Lets the process write under the shim for a while. Gives the path of the log. */
async function recordLoad(sync: ChildTask['sync']): Promise<string> {
  const folder = freshFolder()
  const log = `${folder}.log`
  const task: ChildTask = {
    folder,
    run: 'r',
    writers: 16,
    bytes: 900,
    logBytes: 300_000,
    forMs: 1_500,
    atLeast: 400,
    sync,
  }
  const env = { ...process.env, LD_PRELOAD: shim, SHIM_DIR: folder, SHIM_LOG: log, SHIM_SYNC_US: '2000' }
  const { code, err } = await startChild([child, JSON.stringify(task)], { env }).ended
  if (code !== 0) throw new Error(`the process failed: ${err}`)
  return log
}

interface CutReport {
  /** Cuts after which something acknowledged was lost or broken, with what was found. */
  readonly broken: { readonly cut: number; readonly faults: readonly string[] }[]
  readonly acknowledged: number
  readonly checkpoints: number
  /** Syncs by the thread of the event loop, until the store was open and from then on. */
  readonly syncsOnMainThread: { readonly opening: number; readonly open: number }
}

function cutAndCheck(log: string, cuts: number, random: () => number): CutReport {
  const records = readDiskLog(log)
  const ready = records.findIndex((record) => record.offset === undefined && record.data.toString().includes('ready')) // prettier-ignore
  const points = Array.from(
    { length: cuts },
    () => ready + 1 + Math.floor(random() * (records.length - ready)),
  )
  const disk = replay(records)
  const broken: { cut: number; faults: readonly string[] }[] = []
  let acknowledged = 0
  for (const [index, cut] of points.sort((a, b) => a - b).entries()) {
    disk.advance(cut)
    const folder = freshFolder()
    disk.cutInto(folder, LUCK[index % LUCK.length]!, random)
    const known = parseAcknowledged(disk.appended('acknowledged')) ?? []
    acknowledged = Math.max(acknowledged, known.length)
    const faults = findFaults(join(folder, 'test.db'), known)
    if (faults.length > 0) broken.push({ cut, faults: faults.slice(0, 5) })
    rmSync(folder, { recursive: true })
  }
  const checkpoints = records.filter((record) => record.type === 'truncated').length
  const byMainThread = (record: DiskRecord): boolean =>
    record.type === 'sync-begins' && record.data.toString() === 'm'
  const syncsOnMainThread = {
    opening: records.slice(0, ready).filter(byMainThread).length,
    open: records.slice(ready).filter(byMainThread).length,
  }
  return { broken, acknowledged, checkpoints, syncsOnMainThread }
}

const whenCompiled = compiler ? describe : describe.skip

whenCompiled('a power cut', () => {
  it(`loses nothing that was acknowledged, at ${CUTS} moments (seed ${seed})`, async () => {
    const report = cutAndCheck(await recordLoad('full'), CUTS, numbersFrom(seed))
    expect(report.broken).toEqual([])
    expect(report.acknowledged).toBeGreaterThan(200)
    // The moments include those in and around checkpoints.
    expect(report.checkpoints).toBeGreaterThan(3)
    // Checkpoints and the headers of new logs included.
    expect(report.syncsOnMainThread.open).toBe(0)
    expect(report.syncsOnMainThread.opening).toBeGreaterThan(0)
  })

  // Where syncs are left out now and then about half of the cuts lose something: of 20, two or fewer is one run in 5,000.
  it.each([
    ['skip', 20],
    ['none', 5],
  ] as const)('is seen to lose acknowledged writes where nothing syncs them (%s)', async (sync, cuts) => {
    const report = cutAndCheck(await recordLoad(sync), cuts, numbersFrom(seed))
    expect(report.broken.length).toBeGreaterThan(2)
    expect(report.broken.flatMap(({ faults }) => faults).join()).toMatch(/is lost|cannot be read|is gone/)
  })
})

whenCompiled('a disk', () => {
  it('that is full and then has space again, and that fails a sync at last', async () => {
    const folder = freshFolder()
    const faults = freshFolder()
    const env = { ...process.env, LD_PRELOAD: shim, SHIM_DIR: folder, SHIM_FAULTS: faults }
    const script = join(dirname(child), 'fault-child.js')
    const running = startChild([script, folder], { env })
    const said = async (start: string): Promise<string> => {
      const line = await running.line()
      if (!line.startsWith(start)) throw new Error(`${line} instead of ${start}`)
      return line
    }
    try {
      await said('written')
      await said('twenty')
      writeFileSync(join(faults, 'full'), '')
      // Each of these lines was said after a read.
      const before = Number((await said('full')).split(' ')[1])
      expect(before).toBeGreaterThan(10)
      await new Promise((resolve) => setTimeout(resolve, 300))
      rmSync(join(faults, 'full'))
      expect(Number((await said('written')).split(' ')[1])).toBe(before + 1)
      writeFileSync(join(faults, 'eio'), '')
      await said('fault')
      await said('faulted')
    } finally {
      await running.stop('SIGKILL')
    }
    expect(findFaults(join(folder, 'test.db'), [])).toEqual([])
  })
})

describe('a killed process', () => {
  it(`has lost nothing that was acknowledged, ${KILLS} times`, async () => {
    const random = numbersFrom(seed)
    await Promise.all(Array.from({ length: LANES }, () => killAgainAndAgain(KILLS / LANES, random)))
  })
})

/** Kills one process after another on the same database, which each next one has to recover. */
async function killAgainAndAgain(times: number, random: () => number): Promise<void> {
  const folder = freshFolder()
  let before = 0
  for (let time = 0; time < times; time++) {
    const task: ChildTask = {
      folder, run: `k${time}`, writers: 8, bytes: 100, logBytes: 100_000, forMs: 60_000, atLeast: 0, sync: 'full',
    } // prettier-ignore
    await runAndKill(task, 10 + random() * 120)
    const text = readFileSync(join(folder, 'acknowledged'), 'utf8')
    const known = parseAcknowledged(text)!
    // Every fifth time the next process itself is the first to find the remains.
    if (time % 5 === 4) continue
    expect(findFaults(join(folder, 'test.db'), known, time % 10 === 0)).toEqual([])
    expect(known.length).toBeGreaterThanOrEqual(before)
    before = known.length
  }
  const known = parseAcknowledged(readFileSync(join(folder, 'acknowledged'), 'utf8'))!
  expect(findFaults(join(folder, 'test.db'), known)).toEqual([])
  expect(known.length).toBeGreaterThan(times)
  expect(existsSync(join(folder, 'test.db-wal'))).toBe(false)
}

async function runAndKill(task: ChildTask, afterMs: number): Promise<void> {
  const running = startChild([child, JSON.stringify(task)])
  running.process.stdout.once('data', () => setTimeout(() => running.process.kill('SIGKILL'), afterMs))
  const { signal, code, err } = await running.ended
  if (signal !== 'SIGKILL') throw new Error(`the process ended by itself with ${code}: ${err}`)
}
