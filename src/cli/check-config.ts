import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { Config } from '../config/schema.js'
import { CONFIG_HELP, CONFIG_OPTION, EXIT, type Command } from './command.js'
import { configFrom, configPath } from './config-file.js'
import { readKeyFile } from './key-file.js'

export const checkConfig: Command = {
  name: 'check-config',
  summary: 'check the configuration and the files that it names',
  help: [CONFIG_HELP, '', 'Prints every fault with what to do about it. Changes nothing.'],
  options: CONFIG_OPTION,
  run(options, io) {
    const { config, warnings } = configFrom(options, io)
    for (const warning of warnings) io.out(`note: ${warning}`)
    const faults = filesAtFault(config)
    for (const fault of faults) io.err(`fault: ${fault}`)
    if (faults.length > 0) return Promise.resolve(EXIT.config)
    io.out(`${configPath(options, io)} is in order`)
    return Promise.resolve(EXIT.ok)
  },
}

const reason = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? (error as Error).message

/** What is wrong with the files and folders that a configuration names, a sentence each. */
export function filesAtFault(config: Config): string[] {
  const faults: string[] = []
  const attempt = (what: string, check: () => void): void => {
    try {
      check()
    } catch (error) {
      faults.push(`${what}: ${reason(error)}`)
    }
  }
  attempt(`data_dir ${config.data_dir}`, () => {
    if (!existsSync(config.data_dir)) throw new Error('the folder is not there')
    if (!statSync(config.data_dir).isDirectory()) throw new Error('is not a folder')
    accessSync(config.data_dir, constants.W_OK)
  })
  attempt('signing_key_path', () => readKeyFile(config.signing_key_path))
  for (const [index, { tls }] of config.listeners.entries()) {
    if (tls === undefined) continue
    attempt(`listeners[${index}].tls`, () => {
      createSecureContext({ cert: readFileSync(tls.certificate), key: readFileSync(tls.key) })
    })
  }
  for (const file of config.federation.ca_files) {
    attempt(`federation.ca_files ${file}`, () => {
      if (!readFileSync(file, 'utf8').includes('-----BEGIN CERTIFICATE-----'))
        throw new Error('holds no certificate')
    })
  }
  for (const file of config.appservices)
    attempt(`appservices ${file}`, () => accessSync(file, constants.R_OK))
  return faults
}
