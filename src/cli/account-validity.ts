import { CliError, CONFIG_HELP, CONFIG_OPTION, EXIT, word, type Command } from './command.js'
import { configFrom } from './config-file.js'

/** Until when an account may be used; and another day for it. */
export const accountValidity: Command = {
  name: 'account-validity',
  summary: 'show until when an account may be used, or renew it',
  words: ['show|extend', 'USER'],
  help: [
    '  show USER           when the account expires',
    '  extend USER         one period from now',
    '    --until DATE      or then; such as 2027-06-30, or a day that is over: the account expires now',
    CONFIG_HELP,
  ],
  options: { ...CONFIG_OPTION, until: { type: 'string' } },
  async run(options, io) {
    const action = word(this, options, 0)
    if (action !== 'show' && action !== 'extend')
      throw new CliError(`\`${action}\` is neither \`show\` nor \`extend\``, EXIT.usage)
    const user = word(this, options, 1)
    const until = options.text('until')
    const expiresTs = until === undefined ? undefined : Date.parse(until)
    if (expiresTs !== undefined && !(expiresTs >= 0))
      throw new CliError(`\`--until ${until}\`: give a date such as 2027-06-30`, EXIT.usage)
    const { config } = configFrom(options, io)
    const { withOperator } = await import('./with-operator.js')
    const { value } = await withOperator(config, (operator) =>
      action === 'show' ? operator.accountExpiry(user) : operator.extendAccount(user, expiresTs),
    )
    io.out(
      value.expiresTs === null
        ? `${value.userId} does not expire`
        : `${value.userId} expires on ${new Date(value.expiresTs).toISOString()}`,
    )
    return EXIT.ok
  },
}
