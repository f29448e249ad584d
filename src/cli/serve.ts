import type { Config } from '../config/schema.js'
import { createLogger, type Logger } from '../platform/logger.js'
import { VERSION } from '../version.js'
import { CliError, CONFIG_HELP, CONFIG_OPTION, type Command } from './command.js'
import { configWithFilesFrom } from './config-file.js'
import { prettyLine } from './pretty-log.js'
import { runUntilStopped } from './run-until-stopped.js'

export const serve: Command = {
  name: 'serve',
  summary: 'run the node until SIGTERM or SIGINT',
  help: [CONFIG_HELP],
  options: CONFIG_OPTION,
  async run(options, io) {
    const { config, warnings } = configWithFilesFrom(options, io)
    const logger = loggerOf(config)
    logger.info(
      { version: VERSION, serverName: config.server_name, node: process.version },
      'the node starts',
    )
    for (const warning of warnings) logger.warn({}, warning)
    // Loaded here alone: the other commands start faster without it.
    const { ListenError, startServer } = await import('../server.js')
    try {
      return await runUntilStopped((onFault) => startServer(config, { logger, onFault }), logger)
    } catch (error) {
      throw error instanceof ListenError ? new CliError(error.message) : error
    }
  },
}

function loggerOf(config: Config): Logger {
  const { level, pretty } = config.logging
  if (!pretty) return createLogger({ level })
  const colours = process.stdout.isTTY && process.env['NO_COLOR'] === undefined
  return createLogger({ level, format: (line) => `${prettyLine(line, colours)}\n` })
}
