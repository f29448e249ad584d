import type { Clock } from '../platform/clock.js'
import type { Logger } from '../platform/logger.js'

/** Periodic work. */
export interface Job {
  readonly name: string
  /** Milliseconds from the end of one run to the next. */
  readonly every: number
  /** Run once right away, too. */
  readonly atStart?: boolean
  run(): Promise<unknown>
}

/** A job of every second that fails for hours, as on a full disk, must not fill the log. */
const LOG_EVERY_MS = 60_000

/** Since when a job fails, run after run. */
interface Failing {
  loggedAt: number
  /** Runs that failed since the line before. */
  unlogged: number
}

/**
 * Runs jobs, each one run at a time; a run that fails is logged, and the next one comes all the same. Of a job that goes on failing, the
 * log has a line a minute at most, with the number of runs that failed since the last one, and a line when it works again.
 */
export function startJobs(
  jobs: readonly Job[],
  deps: { readonly clock: Clock; readonly logger: Logger },
): { stop(): Promise<void> } {
  const timers = new Map<Job, NodeJS.Timeout>()
  const running = new Set<Promise<void>>()
  const failing = new Map<Job, Failing>()
  let stopped = false

  function logFailure(job: Job, error: unknown): void {
    const now = deps.clock.monotonic()
    const before = failing.get(job)
    if (before !== undefined && now - before.loggedAt < LOG_EVERY_MS) {
      before.unlogged += 1
      return
    }
    deps.logger.error({ err: error, job: job.name, times: (before?.unlogged ?? 0) + 1 }, 'a job failed')
    failing.set(job, { loggedAt: now, unlogged: 0 })
  }

  async function run(job: Job): Promise<void> {
    const started = deps.clock.monotonic()
    try {
      await job.run()
      deps.logger.debug({ job: job.name, ms: Math.round(deps.clock.monotonic() - started) }, 'a job ran')
      if (failing.delete(job)) deps.logger.info({ job: job.name }, 'a job works again')
    } catch (error) {
      if (!stopped) logFailure(job, error)
    }
  }

  function schedule(job: Job, delay: number): void {
    if (stopped) return
    const timer = setTimeout(() => {
      const work = run(job).finally(() => {
        running.delete(work)
        schedule(job, job.every)
      })
      running.add(work)
    }, delay)
    timer.unref()
    timers.set(job, timer)
  }

  for (const job of jobs) schedule(job, job.atStart === true ? 0 : job.every)
  return {
    async stop() {
      stopped = true
      for (const timer of timers.values()) clearTimeout(timer)
      await Promise.all(running)
    },
  }
}
