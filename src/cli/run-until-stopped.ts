import type { Logger } from '../platform/logger.js'
import { EXIT } from './command.js'
import { stopRequest } from './stop-request.js'

/** A node that cannot close in this time is ended by force; what it has acknowledged is on disk all the same. */
const CLOSE_TIMEOUT_MS = 30_000

export interface Running {
  /** Where it listens, for the log. */
  readonly addresses: object
  close(): Promise<void>
}

/**
 * Starts a server, waits for a signal, for an error that nobody caught or for a fault that the server reports, closes the server and gives the exit code.
 * A signal during the start is obeyed once the start is over.
 */
export async function runUntilStopped(
  start: (onFault: (error: Error) => void) => Promise<Running>,
  logger: Logger,
  closeTimeoutMs = CLOSE_TIMEOUT_MS,
): Promise<number> {
  // From before the start: as process 1 of a container, a process ignores SIGTERM unless it listens for it.
  const stop = stopRequest(logger)
  try {
    const server = await start(stop.onFault)
    logger.info({ addresses: server.addresses }, 'the node is ready')
    const { reason, failed } = await stop.requested
    logger.info({ reason }, 'the node stops')
    if (!(await within(server.close(), closeTimeoutMs))) {
      logger.fatal({ ms: closeTimeoutMs }, 'the node did not close in time; it is ended')
      process.exit(EXIT.failed)
    }
    logger.info({}, 'the node has stopped')
    return failed ? EXIT.failed : EXIT.ok
  } finally {
    stop.dispose()
  }
}

async function within(work: Promise<void>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms)
  })
  try {
    return await Promise.race([work.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}
