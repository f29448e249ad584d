import { CliError, CONFIG_HELP, CONFIG_OPTION, EXIT, word, type Command } from './command.js'
import { configFrom } from './config-file.js'

export const setAdmin: Command = {
  name: 'set-admin',
  summary: 'make an account an administrator of the server, or take that away',
  words: ['USER', 'on|off'],
  help: [
    CONFIG_HELP,
    '',
    'USER is `anne.dupont` or `@anne.dupont:ministry.example`. Sessions go on; they have the rights, or lose them, at once.',
  ],
  options: CONFIG_OPTION,
  async run(options, io) {
    const user = word(this, options, 0)
    const wish = word(this, options, 1)
    if (wish !== 'on' && wish !== 'off')
      throw new CliError(`\`${wish}\` is neither \`on\` nor \`off\``, EXIT.usage)
    const { config } = configFrom(options, io)
    const { withOperator } = await import('./with-operator.js')
    const done = await withOperator(config, (operator) => operator.setAdmin(user, wish === 'on'))
    io.out(`${done.value} is ${wish === 'on' ? 'an' : 'no'} administrator now (${done.where})`)
    return EXIT.ok
  },
}
