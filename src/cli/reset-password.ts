import { systemRandom } from '../platform/random.js'
import { CONFIG_HELP, CONFIG_OPTION, EXIT, word, type Command } from './command.js'
import { configFrom } from './config-file.js'
import { readPassword } from './read-password.js'

export const resetPassword: Command = {
  name: 'reset-password',
  summary: 'give an account a new password and end its sessions',
  words: ['USER'],
  help: [
    '  --generate-password   make a random password and print it',
    '  --password-file FILE  take the first line of FILE; default: of standard input, or ask',
    CONFIG_HELP,
    '',
    'USER is `anne.dupont` or `@anne.dupont:ministry.example`. All devices of the account are logged out, with their keys, at once, also',
    'while the node runs: encrypted messages stay readable for whoever has the recovery key, or a key backup and its key.',
  ],
  options: {
    ...CONFIG_OPTION,
    'generate-password': { type: 'boolean' },
    'password-file': { type: 'string' },
  },
  async run(options, io) {
    const user = word(this, options, 0)
    const { config } = configFrom(options, io)
    const generated = options.has('generate-password')
    const password = generated ? systemRandom.string(24) : await readPassword(options, io)
    const { withOperator } = await import('./with-operator.js')
    const done = await withOperator(config, (operator) => operator.resetPassword(user, password))
    io.out(`${done.value} has a new password and no session any more (${done.where})`)
    if (generated) io.out(`password: ${password}`)
    return EXIT.ok
  },
}
