import type { Config } from '../config/schema.js'
import { createLogger, type Logger } from '../platform/logger.js'
import { VERSION } from '../version.js'
import { filesAtFault } from './check-config.js'
import { CliError, CONFIG_HELP, CONFIG_OPTION, EXIT, type Command } from './command.js'
import { configFrom } from './config-file.js'
import { prettyLine } from './pretty-log.js'
import { stopRequest } from './stop-request.js'

/** What `server.ts` exports, as far as it is needed here. */
interface Server {
  readonly startServer: (
    config: Config,
    options: { logger: Logger },
  ) => Promise<{ readonly addresses: Readonly<Record<string, unknown>>; close(): Promise<void> }>
}

/** A node that cannot close in this time is ended by force; what it has acknowledged is on disk all the same. */
const CLOSE_TIMEOUT_MS = 30_000

export const serve: Command = {
  name: 'serve',
  summary: 'run the node until SIGTERM or SIGINT',
  help: [CONFIG_HELP],
  options: CONFIG_OPTION,
  async run(options, io) {
    const { config, warnings } = configFrom(options, io)
    const faults = filesAtFault(config)
    if (faults.length > 0) throw new CliError(faults.join('\nchancery: '), EXIT.config)
    const logger = loggerOf(config)
    for (const warning of warnings) logger.warn({}, warning)
    // Listening from before the start: as process 1 of a container, SIGTERM is ignored unless somebody does.
    const stop = stopRequest(logger)
    try {
      // Loaded here alone: the other commands start faster without it.
      const { startServer } = (await import(new URL('../server.js', import.meta.url).href)) as Server
      const server = await startServer(config, { logger })
      logger.info(
        { version: VERSION, serverName: config.server_name, addresses: server.addresses },
        'the node is ready',
      )
      const why = await stop.requested
      logger.info({ why: why.reason }, 'the node stops')
      const closed = await within(server.close(), CLOSE_TIMEOUT_MS)
      if (!closed) {
        logger.fatal({ ms: CLOSE_TIMEOUT_MS }, 'the node did not close in time; it is ended')
        process.exit(EXIT.failed)
      }
      logger.info({}, 'the node has stopped')
      return why.failed ? EXIT.failed : EXIT.ok
    } finally {
      stop.dispose()
    }
  },
}

function loggerOf(config: Config): Logger {
  const { level, pretty } = config.logging
  if (!pretty) return createLogger({ level })
  const colours = process.stdout.isTTY && process.env['NO_COLOR'] === undefined
  return createLogger({ level, write: (line) => process.stdout.write(`${prettyLine(line, colours)}\n`) })
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
