import { resolve } from 'node:path'
import { loadConfig, type Loaded } from '../config/load.js'
import type { CliIo, Options } from './command.js'
import { filesAtFault } from './files-at-fault.js'

export const configPath = (options: Options, io: CliIo): string =>
  resolve(io.cwd, options.text('config') ?? io.env['CHANCERY_CONFIG'] ?? 'homeserver.yaml')

/** Loads the configuration that the options name. Throws ConfigError. */
export const configFrom = (options: Options, io: CliIo): Loaded =>
  loadConfig(configPath(options, io), { env: io.env })

/** The same; looks into the files that the configuration names as well. */
export const configWithFilesFrom = (options: Options, io: CliIo): Loaded =>
  loadConfig(configPath(options, io), { env: io.env, inspect: filesAtFault })
