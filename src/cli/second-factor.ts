import { isObject } from '../core/json/value.js'
import type { FactorRequest } from '../services/second-factor/second-factor.js'
import { CliError, CONFIG_HELP, CONFIG_OPTION, EXIT, word, type Command, type Options } from './command.js'
import { configFrom } from './config-file.js'

function requestOf(command: Command, options: Options): FactorRequest {
  const action = word(command, options, 0)
  if (action === 'list') return { do: 'list' }
  if (action !== 'enrol' && action !== 'remove' && action !== 'unlock')
    throw new CliError(`\`${action}\` is none of list, enrol, remove, unlock`, EXIT.usage)
  const user = word(command, options, 1)
  return action === 'enrol' ? { do: action, user, replace: options.has('replace') } : { do: action, user }
}

/** Second factors of administrators. The secret is shown once, to whoever has the machine. */
export const secondFactor: Command = {
  name: 'second-factor',
  summary: 'give an administrator a second factor, or take it away: list, enrol, remove, unlock',
  words: ['list|enrol|remove|unlock', 'USER'],
  help: [
    '  list           who has one, and whose is locked',
    '  enrol USER     shows the secret for an authenticator app, once',
    '    --replace    in place of one that the administrator has',
    '  remove USER    what is dangerous can then not be confirmed',
    '  unlock USER    after too many wrong codes',
    CONFIG_HELP,
    '',
    'It needs `second_factor.secret`. Many apps read the address as a QR code: `qrencode -t ansiutf8 ADDRESS`.',
  ],
  options: { ...CONFIG_OPTION, replace: { type: 'boolean' } },
  async run(options, io) {
    const request = requestOf(this, options)
    const { config } = configFrom(options, io)
    const { withOperator } = await import('./with-operator.js')
    const { value } = await withOperator(config, (operator) => operator.secondFactor(request))
    const text = (name: string): string => {
      const found = value[name]
      return typeof found === 'string' ? found : ''
    }
    switch (request.do) {
      case 'list': {
        const factors = Array.isArray(value['factors']) ? value['factors'] : []
        for (const factor of factors.filter(isObject)) io.out(JSON.stringify(factor))
        break
      }
      case 'enrol':
        io.out(`user    ${text('user_id')}`)
        io.out(`secret  ${text('secret')}`)
        io.out(`address ${text('uri')}`)
        break
      case 'remove':
        io.out(`${text('user_id')} has no second factor any more`)
        break
      case 'unlock':
        io.out(`codes of ${text('user_id')} are taken again`)
    }
    return EXIT.ok
  },
}
