/** A time limit joined with the caller's own wish to stop. `end` must be called, or the timer keeps running. */
export interface Deadline {
  readonly signal: AbortSignal
  /** True once the time was over before anything else. */
  readonly timedOut: boolean
  end(): void
}

/** Starts the clock: `signal` aborts after `ms` milliseconds or when the caller's signal does, with that one's reason. */
export function startDeadline(ms: number, caller?: AbortSignal): Deadline {
  const controller = new AbortController()
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = !controller.signal.aborted
    controller.abort(new DOMException('the time is over', 'TimeoutError'))
  }, ms)
  const stop = (): void => controller.abort(caller?.reason)
  if (caller?.aborted === true) stop()
  else caller?.addEventListener('abort', stop, { once: true })
  return {
    signal: controller.signal,
    get timedOut() {
      return timedOut
    },
    end() {
      clearTimeout(timer)
      caller?.removeEventListener('abort', stop)
    },
  }
}
