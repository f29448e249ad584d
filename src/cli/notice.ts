import { CliError, CONFIG_HELP, CONFIG_OPTION, EXIT, word, type Command } from './command.js'
import { configFrom } from './config-file.js'

export const notice: Command = {
  name: 'notice',
  summary: 'tell a user something in the name of the server',
  words: ['USER', 'TEXT'],
  help: [
    CONFIG_HELP,
    '',
    'USER is `anne.dupont` or `@anne.dupont:ministry.example`; TEXT is one argument, in quotes. It needs `server_notices.localpart`.',
  ],
  options: CONFIG_OPTION,
  async run(options, io) {
    const user = word(this, options, 0)
    const text = word(this, options, 1)
    if (text.trim() === '') throw new CliError('there is nothing to tell', EXIT.usage)
    const { config } = configFrom(options, io)
    const { withOperator } = await import('./with-operator.js')
    const done = await withOperator(config, (operator) => operator.notify(user, text))
    io.out(`${done.value} is told (${done.where})`)
    return EXIT.ok
  },
}
