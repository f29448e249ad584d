import type { Logger } from '../platform/logger.js'

export interface StopReason {
  readonly reason: string
  /** Not asked for by anybody: the exit code says so, and a service manager starts the node again. */
  readonly failed: boolean
}

/**
 * Resolves on SIGTERM, SIGINT or an error that nobody caught. Nothing here ends the process: writes under way are finished
 * by whoever waits for it. A second signal changes nothing.
 */
export function stopRequest(logger: Logger): { readonly requested: Promise<StopReason>; dispose(): void } {
  let stop: (reason: StopReason) => void = () => undefined
  const requested = new Promise<StopReason>((resolve) => {
    stop = resolve
  })
  const onSignal = (signal: NodeJS.Signals): void => stop({ reason: signal, failed: false })
  const onError = (error: unknown): void => {
    logger.fatal({ err: error }, 'an error that nobody caught')
    stop({ reason: 'an error that nobody caught', failed: true })
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  process.on('uncaughtException', onError)
  process.on('unhandledRejection', onError)
  return {
    requested,
    dispose() {
      process.off('SIGTERM', onSignal)
      process.off('SIGINT', onSignal)
      process.off('uncaughtException', onError)
      process.off('unhandledRejection', onError)
    },
  }
}
