import { describe, expect, it } from '@jest/globals'
import { manualClock } from '../platform/clock.js'
import { createLogger } from '../platform/logger.js'
import { untilPasses } from '../platform/testing-until.js'
import { startJobs } from './schedule.js'

interface Line {
  readonly msg: string
  readonly job: string
  readonly times?: number
}

/** A job that runs again at once, on a clock that stands still, and fails as long as it is told to. */
function failingJob() {
  const clock = manualClock()
  const lines: Line[] = []
  const logger = createLogger({ write: (line) => void lines.push(JSON.parse(line) as Line) })
  const state = { runs: 0, fails: true }
  const jobs = startJobs(
    [
      {
        name: 'test.fails',
        every: 1,
        run() {
          state.runs += 1
          return state.fails ? Promise.reject(new Error('the disk is full')) : Promise.resolve()
        },
      },
    ],
    { clock, logger },
  )
  const runs = async (count: number): Promise<void> => {
    const wanted = state.runs + count
    await untilPasses(() => {
      expect(state.runs).toBeGreaterThanOrEqual(wanted)
    })
  }
  return { clock, lines, state, runs, stop: () => jobs.stop() }
}

describe('a job that goes on failing', () => {
  it('is told once a minute, with how often it failed since', async () => {
    const { clock, lines, runs, stop } = failingJob()
    await runs(10)
    expect(lines).toEqual([expect.objectContaining({ msg: 'a job failed', job: 'test.fails', times: 1 })])
    clock.advance(60_000)
    await runs(2)
    await stop()
    expect(lines).toHaveLength(2)
    expect(lines[1]?.times).toBeGreaterThanOrEqual(9)
  })

  it('is told anew when it worked in between', async () => {
    const { lines, state, runs, stop } = failingJob()
    await runs(3)
    state.fails = false
    await runs(3)
    state.fails = true
    await runs(3)
    await stop()
    expect(lines.map((line) => line.msg)).toEqual(['a job failed', 'a job works again', 'a job failed'])
  })
})
