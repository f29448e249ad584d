import { CONFIG_HELP, CONFIG_OPTION, EXIT, type Command } from './command.js'
import { configFrom } from './config-file.js'

export const migrate: Command = {
  name: 'migrate',
  summary: 'bring the database to the schema of this version',
  help: [
    CONFIG_HELP,
    '',
    '`chancery serve` does the same when it starts. Make a backup first: an older version may refuse the result.',
  ],
  options: CONFIG_OPTION,
  async run(options, io) {
    const { config } = configFrom(options, io)
    const { openConfiguredStore, schemaVersion } = await import('./open-store.js')
    const store = await openConfiguredStore(config.database)
    try {
      io.out(`the database has schema ${await schemaVersion(store)}, the newest of this version`)
    } finally {
      await store.close()
    }
    return EXIT.ok
  },
}
