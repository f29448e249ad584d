import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { loadConfig } from '../config/load.js'
import type { Config } from '../config/schema.js'
import { systemClock } from '../platform/clock.js'
import { readManifest } from './backup-manifest.js'
import { CliError, CONFIG_HELP, CONFIG_OPTION, EXIT, word, type CliIo, type Command } from './command.js'
import { configFrom } from './config-file.js'
import { nodeOperator, NoNode } from './node-operator.js'
import { placesOf, placeDatabase, placeFiles, placeMedia } from './restore-files.js'

export const restore: Command = {
  name: 'restore',
  summary: 'put a backup back, so that the node goes on from it',
  words: ['DIR'],
  help: [
    '  --to FOLDER         what lay in the folder of the configuration goes into this one; default: where it was',
    '  --in-place          without DIR: the database of the configuration was put back by other means, such as pg_restore',
    CONFIG_HELP,
    '',
    'Nothing that is there is replaced: move a broken database and its `-wal` and `-shm` away first. The restored database goes on at a position well ahead, so that',
    'clients that have seen more than the backup are told everything anew; its one-time keys are not handed out again. docs/operations.md says',
    'what is lost and what heals by itself. The node must not run, and never beside the original.',
  ],
  options: { ...CONFIG_OPTION, to: { type: 'string' }, 'in-place': { type: 'boolean' } },
  async run(options, io) {
    if (options.has('in-place')) {
      if (options.words.length > 0 || options.text('to') !== undefined)
        throw new CliError('`--in-place` takes neither DIR nor `--to`', EXIT.usage)
      const { config } = configFrom(options, io)
      await resume(config, io)
      return EXIT.ok
    }
    const source = resolve(io.cwd, word(this, options, 0))
    const manifest = readManifest(source)
    const to = options.text('to')
    const places = placesOf(manifest, to === undefined ? undefined : resolve(io.cwd, to))
    io.out(`the backup of ${manifest.server_name}, made ${manifest.made} by ${manifest.program}`)

    await placeFiles(source, places, (path) => io.out(`is there already, unchanged: ${path}`))
    const configuration = places.files[0]!.to
    const { config } = loadConfig(configuration, { env: io.env })
    requireSame('signing_key_path', config.signing_key_path, places.files[1]!.to, configuration)
    requireSame('media.path', config.media.path, places.media.to, configuration)
    if (places.database !== undefined) {
      if (config.database.driver !== 'sqlite')
        throw new CliError(`${configuration} names PostgreSQL, and the backup holds a SQLite file`)
      requireSame('database.path', config.database.path, places.database.to, configuration)
    }
    const media = await placeMedia(source, places)
    io.out(`media: ${media.files} files, ${media.bytes} bytes; those that were there have stayed`)
    for (const name of media.damaged) io.err(`damaged, copied as it is: ${name}`)
    const outcome = media.damaged.length === 0 ? EXIT.ok : EXIT.failed
    if (places.database === undefined) {
      io.out('the backup is without database: now `pg_restore` into a new, empty one, then `chancery restore --in-place`') // prettier-ignore
      return outcome
    }
    const schema = await placeDatabase(source, places.database)
    io.out(`database: schema ${schema}, no fault found`)
    await resume(config, io)
    io.out(`start the node: chancery serve --config ${configuration}`)
    return outcome
  },
}

function requireSame(setting: string, named: string, placed: string, configuration: string): void {
  if (named === placed) return
  throw new CliError(
    `${setting} in ${configuration} is ${named}, and the backup's is for ${placed}: ` +
      `correct the setting, or restore with \`--to ${dirname(named)}\``,
  )
}

/** The step without which a restored database must not go on; the node would take it itself with a copy that says what it is. */
async function resume(config: Config, io: CliIo): Promise<void> {
  await requireStopped(config)
  const database = config.database.driver === 'sqlite' ? config.database.path : 'the database'
  if (config.database.driver === 'sqlite' && !existsSync(config.database.path))
    throw new CliError(`there is no database at ${database}`)
  const { openConfiguredStore } = await import('./open-store.js')
  const { resumeFromCopy } = await import('../storage/tables/lost-positions.js')
  const { hasUsers } = await import('../storage/tables/users.js')
  const store = await openConfiguredStore(config.database)
  try {
    if (!(await store.read('restore.users', () => hasUsers())))
      throw new CliError(`${database} holds no account: restore it first (PostgreSQL: with pg_restore)`)
    const done = await store.write('restore.resume', () => resumeFromCopy(systemClock.now()))
    io.out(`the database goes on at position ${done.resumed_pos}; what clients were told after ${done.after_pos} is told anew`) // prettier-ignore
    io.out(`one-time keys that are not handed out again: ${done.oneTimeKeys}; their devices make new ones`)
    io.out(`users of other servers whose devices are asked for again: ${done.remoteLists}`)
    io.out(`rooms of which other servers are asked what they have, after the start: ${done.rooms}`)
  } finally {
    await store.close()
  }
}

/** A SQLite file is locked by its node; of PostgreSQL only the node itself can tell. */
async function requireStopped(config: Config): Promise<void> {
  try {
    await nodeOperator(config.operator_socket).listTokens()
  } catch (error) {
    if (error instanceof NoNode) return
    throw error
  }
  throw new CliError(`a node runs with this configuration (${config.operator_socket}): stop it first`)
}
