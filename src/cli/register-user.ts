import type { Config } from '../config/schema.js'
import { systemRandom } from '../platform/random.js'
import { CliError, CONFIG_HELP, CONFIG_OPTION, EXIT, type Command } from './command.js'
import { configFrom } from './config-file.js'
import type { NewAccount } from './new-account.js'
import { readPassword } from './read-password.js'
import { registerOverHttp } from './register-over-http.js'
import type { Done } from './with-operator.js'

export const registerUser: Command = {
  name: 'register-user',
  summary: 'make an account, also while registration is closed',
  help: [
    '  --user NAME           the part before the colon, for example `anne.dupont`; needed',
    '  --admin               make it an administrator of the server',
    '  --display-name TEXT   the name that others see',
    '  --generate-password   make a random password and print it',
    '  --password-file FILE  take the first line of FILE; default: of standard input, or ask',
    '  --url URL             address of a node that runs elsewhere',
    CONFIG_HELP,
    '',
    'A node that runs with this configuration on this machine makes the account itself; where none runs, it is written into',
    'the database. It says which of the two it did. A node elsewhere is asked with `--url`; both sides need the same',
    '`registration.shared_secret`.',
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
    const { where, value: userId } = await register(config, account, options.text('url'))
    io.out(`made ${userId} ${where}`)
    if (generated) {
      io.out(`username: ${localpart}`)
      io.out(`password: ${account.password}`)
    }
    return EXIT.ok
  },
}

async function register(config: Config, account: NewAccount, url: string | undefined): Promise<Done<string>> {
  const overHttp = async (): Promise<Done<string>> => ({
    value: await registerOverHttp(config, account, url),
    where: 'through the running node',
  })
  if (url !== undefined) return overHttp()
  // Loaded late: the other commands start faster without the services.
  const { UnreachableNode, withOperator } = await import('./with-operator.js')
  try {
    return await withOperator(config, (operator) => operator.register(account))
  } catch (error) {
    if (error instanceof UnreachableNode && config.registration.shared_secret !== undefined) return overHttp()
    throw error
  }
}
