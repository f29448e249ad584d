import { resolve } from 'node:path'
import { loadConfig, type Loaded } from '../config/load.js'
import type { CliIo, Options } from './command.js'

export const configPath = (options: Options, io: CliIo): string =>
  resolve(io.cwd, options.text('config') ?? io.env['CHANCERY_CONFIG'] ?? 'homeserver.yaml')

/** Loads the configuration that the options name. Throws ConfigError. */
export const configFrom = (options: Options, io: CliIo): Loaded =>
  loadConfig(configPath(options, io), { env: io.env })
