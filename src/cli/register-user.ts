import { systemRandom } from '../platform/random.js'
import { CliError, CONFIG_HELP, CONFIG_OPTION, EXIT, type Command } from './command.js'
import { configFrom } from './config-file.js'
import type { NewAccount } from './new-account.js'
import { readPassword } from './read-password.js'
import { registerOverHttp } from './register-over-http.js'

export const registerUser: Command = {
  name: 'register-user',
  summary: 'make an account, also while registration is closed',
  help: [
    '  --user NAME           the part before the colon, for example `anne.dupont`; needed',
    '  --admin               make it an administrator of the server',
    '  --display-name TEXT   the name that others see',
    '  --generate-password   make a random password and print it',
    '  --password-file FILE  take the first line of FILE; default: of standard input, or ask',
    '  --url URL             address of the running node; default: its first client listener on this machine',
    CONFIG_HELP,
    '',
    'While the node is stopped, the account is written into the database. While a node runs on SQLite, the database',
    'is its alone: then the account is made through the node, which needs `registration.shared_secret`.',
    'It says which of the two it did.',
  ],
  options: {
    ...CONFIG_OPTION,
    user: { type: 'string' },
    admin: { type: 'boolean' },
    'display-name': { type: 'string' },
    'generate-password': { type: 'boolean' },
    'password-file': { type: 'string' },
    url: { type: 'string' },
  },
  async run(options, io) {
    const localpart = options.text('user')
    if (localpart === undefined) throw new CliError('`--user NAME` is needed', EXIT.usage)
    const { config } = configFrom(options, io)
    const generated = options.has('generate-password')
    const displayName = options.text('display-name')
    const account: NewAccount = {
      localpart,
      password: generated ? systemRandom.string(24) : await readPassword(options, io),
      admin: options.has('admin'),
      ...(displayName === undefined ? {} : { displayName }),
    }
    const url = options.text('url')
    // Loaded late: the other commands start faster without the storage.
    const { openUnlessRunning, registerInStore } = await import('./register-in-store.js')
    const store = url === undefined ? await openUnlessRunning(config) : undefined
    const userId =
      store === undefined
        ? await registerOverHttp(config, account, url)
        : await registerInStore(config, store, account)
    io.out(`made ${userId} ${store === undefined ? 'through the running node' : 'in the database'}`)
    if (generated) {
      io.out(`username: ${localpart}`)
      io.out(`password: ${account.password}`)
    }
    return EXIT.ok
  },
}
