import { CONFIG_HELP, CONFIG_OPTION, EXIT, type Command } from './command.js'
import { configPath, configWithFilesFrom } from './config-file.js'

export const checkConfig: Command = {
  name: 'check-config',
  summary: 'check the configuration and the files that it names',
  help: [CONFIG_HELP, '', 'Prints every fault with what to do about it. Changes nothing.'],
  options: CONFIG_OPTION,
  run(options, io) {
    const { warnings } = configWithFilesFrom(options, io)
    for (const warning of warnings) io.out(`note: ${warning}`)
    io.out(`${configPath(options, io)} is in order`)
    return Promise.resolve(EXIT.ok)
  },
}
