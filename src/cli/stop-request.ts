import type { Logger } from '../platform/logger.js'

export interface StopReason {
  readonly reason: string
  /** Not asked for by anybody: the exit code says so, and a service manager starts the node again. */
  readonly failed: boolean
}

export interface StopRequest {
  readonly requested: Promise<StopReason>
  /** For parts that cannot go on, such as a store whose disk failed. */
  readonly onFault: (error: Error) => void
  dispose(): void
}

/**
 * Resolves on SIGTERM, SIGINT or an error that nobody caught. Nothing here ends the process: writes under way are finished
 * by whoever waits for it. A second signal changes nothing.
 */
export function stopRequest(logger: Logger): StopRequest {
  let stop: (reason: StopReason) => void = () => undefined
  const requested = new Promise<StopReason>((resolve) => {
    stop = resolve
  })
  const onSignal = (signal: NodeJS.Signals): void => stop({ reason: signal, failed: false })
  const onError = (error: unknown): void => {
    logger.fatal({ err: error }, 'an error that nobody caught')
    stop({ reason: 'an error that nobody caught', failed: true })
  }
  const onFault = (error: Error): void => {
    logger.fatal({ err: error }, 'the node cannot go on')
    stop({ reason: error.message, failed: true })
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  process.on('uncaughtException', onError)
  process.on('unhandledRejection', onError)
  return {
    requested,
    onFault,
    dispose() {
      process.off('SIGTERM', onSignal)
      process.off('SIGINT', onSignal)
      process.off('uncaughtException', onError)
      process.off('unhandledRejection', onError)
    },
  }
}
