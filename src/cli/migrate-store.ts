import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { CliError, CONFIG_HELP, CONFIG_OPTION, EXIT, type CliIo, type Command, type Options } from './command.js' // prettier-ignore
import { configFrom } from './config-file.js'

export const migrateStore: Command = {
  name: 'migrate-store',
  summary: 'copy the database of a stopped node from SQLite to PostgreSQL',
  help: [
    '  --from sqlite       needed: from the file that the configuration names',
    '  --to postgres       needed: into a new, empty database',
    '  --url-file FILE     the first line of FILE is `postgres://user:password@host:5432/database`',
    '  --url URL           the same, where the URL holds no password: others on the machine see it',
    CONFIG_HELP,
    '',
    'Without either, the URL is taken from CHANCERY_DATABASE_URL. All or nothing: a copy that fails leaves no row. The file stays as it',
    'is. Afterwards write `database: { driver: postgres, … }` into the configuration and start the node.',
  ],
  options: {
    ...CONFIG_OPTION,
    from: { type: 'string' },
    to: { type: 'string' },
    url: { type: 'string' },
    'url-file': { type: 'string' },
  },
  async run(options, io) {
    if (options.text('from') !== 'sqlite' || options.text('to') !== 'postgres')
      throw new CliError('`--from sqlite --to postgres` is needed; no other way is there', EXIT.usage)
    const { config } = configFrom(options, io)
    if (config.database.driver !== 'sqlite')
      throw new CliError(
        'the configuration names PostgreSQL already; give this command the one that names the SQLite file',
        EXIT.usage,
      )
    const connectionString = targetUrl(options, io)
    const { copyToPostgres } = await import('../storage/copy-to-postgres.js')
    const report = await copyToPostgres({
      path: config.database.path,
      connectionString,
      onTable: (name, rows) => {
        if (rows > 0) io.out(`${name}: ${rows}`)
      },
    })
    io.out(
      `copied ${report.rows} rows of ${report.tables} tables, schema ${report.schema}, position ${report.position}; counted on both sides`,
    )
    io.out('now set `database: { driver: postgres, … }` in the configuration, and start the node')
    return EXIT.ok
  },
}

function targetUrl(options: Options, io: CliIo): string {
  const [plain, file] = [options.text('url'), options.text('url-file')]
  if (plain !== undefined && file !== undefined)
    throw new CliError('give one of `--url` and `--url-file`', EXIT.usage)
  const url =
    plain ?? (file === undefined ? io.env['CHANCERY_DATABASE_URL'] : firstLine(resolve(io.cwd, file)))
  if (url === undefined || url === '')
    throw new CliError('where to? Give `--url-file FILE`, `--url URL` or CHANCERY_DATABASE_URL', EXIT.usage)
  if (!/^postgres(ql)?:\/\//.test(url)) throw new CliError('the target is no `postgres://…` URL', EXIT.usage)
  if (plain !== undefined && /^[^/]*\/\/[^@/]*:[^@/]+@/.test(plain))
    throw new CliError(
      'the arguments of a process are seen by everybody on the machine: put the URL with its password into a file for `--url-file`',
      EXIT.usage,
    )
  return url
}

function firstLine(path: string): string {
  try {
    return readFileSync(path, 'utf8').split('\n', 1)[0]!.trim()
  } catch (error) {
    throw new CliError(`${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`)
  }
}
