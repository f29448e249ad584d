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

/** Runs jobs, each one run at a time; a run that fails is logged, and the next one comes all the same. */
export function startJobs(
  jobs: readonly Job[],
  deps: { readonly clock: Clock; readonly logger: Logger },
): { stop(): Promise<void> } {
  const timers = new Map<Job, NodeJS.Timeout>()
  const running = new Set<Promise<void>>()
  let stopped = false

  async function run(job: Job): Promise<void> {
    const started = deps.clock.monotonic()
    try {
      await job.run()
      deps.logger.debug({ job: job.name, ms: Math.round(deps.clock.monotonic() - started) }, 'a job ran')
    } catch (error) {
      if (!stopped) deps.logger.error({ err: error, job: job.name }, 'a job failed')
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
