import { CliError, CONFIG_HELP, CONFIG_OPTION, EXIT, word, type Command } from './command.js'
import { configFrom } from './config-file.js'

export const deactivate: Command = {
  name: 'deactivate',
  summary: 'close an account for ever',
  words: ['USER'],
  help: [
    '  --erase             delete its profile and its account data too',
    '  --yes               really; without it nothing happens',
    CONFIG_HELP,
    '',
    'USER is `anne.dupont` or `@anne.dupont:ministry.example`. The sessions end at once; the account leaves its rooms afterwards, or,',
    'where no node runs, when one starts. Nobody can have the name again.',
  ],
  options: { ...CONFIG_OPTION, erase: { type: 'boolean' }, yes: { type: 'boolean' } },
  async run(options, io) {
    const user = word(this, options, 0)
    const { config } = configFrom(options, io)
    if (!options.has('yes'))
      throw new CliError(`${user} would be closed for ever; say \`--yes\` if you mean it`, EXIT.usage)
    const { withOperator } = await import('./with-operator.js')
    const done = await withOperator(config, (operator) => operator.deactivate(user, options.has('erase')))
    io.out(`${done.value} is deactivated (${done.where})`)
    return EXIT.ok
  },
}
