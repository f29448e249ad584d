import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { loadConfig } from '../config/load.js'
import type { Config } from '../config/schema.js'
import { systemClock } from '../platform/clock.js'
import { VERSION } from '../version.js'
import type { Manifest, SavedDatabase, SavedFile } from './backup-manifest.js'
import { copyFile, copyMedia, sha256Of } from './backup-media.js'
import { CliError, CONFIG_HELP, CONFIG_OPTION, EXIT, word, type Command } from './command.js'
import { configPath } from './config-file.js'

export const backup: Command = {
  name: 'backup',
  summary: 'copy everything that makes a node into a folder, also while the node runs',
  words: ['DIR'],
  help: [
    '  --without-database  leave the database out; needed with PostgreSQL, which has pg_dump',
    CONFIG_HELP,
    '',
    'DIR must be absent or empty. It gets the database as of one moment, looked through; the media, each file compared with its checksum;',
    'the signing key; the configuration and the files that it names; and MANIFEST.json, which says what stood where. Whoever has it',
    'can be this server: keep it as safe as the server. docs/operations.md says how to restore.',
  ],
  options: { ...CONFIG_OPTION, 'without-database': { type: 'boolean' } },
  async run(options, io) {
    const target = resolve(io.cwd, word(this, options, 0))
    const path = configPath(options, io)
    const read: string[] = []
    const { config } = loadConfig(path, {
      env: io.env,
      readFile(file) {
        read.push(file)
        return readFileSync(file, 'utf8')
      },
    })
    const withDatabase = !options.has('without-database')
    if (withDatabase && config.database.driver !== 'sqlite')
      throw new CliError(
        'the database is PostgreSQL: save it with `pg_dump --format=custom`, and the rest with `chancery backup DIR --without-database`, in this order',
        EXIT.usage,
      )
    prepareFolder(target)

    let database: SavedDatabase | undefined
    if (withDatabase && config.database.driver === 'sqlite') {
      const { backupSqlite } = await import('../storage/sqlite-backup.js')
      const copy = join(target, 'homeserver.db')
      const schema = backupSqlite(config.database.path, copy, systemClock.now())
      chmodSync(copy, 0o600)
      const bytes = statSync(copy).size
      io.out(`database: ${bytes} bytes, schema ${schema}, as of one moment; no fault found`)
      const sha256 = await sha256Of(copy)
      database = { path: 'homeserver.db', from: config.database.path, schema, bytes, sha256 }
    }
    // After the database: no row without its file.
    const media = existsSync(config.media.path)
      ? await copyMedia(config.media.path, join(target, 'media'))
      : { files: 0, bytes: 0, damaged: [] }
    io.out(`media: ${media.files} files, ${media.bytes} bytes`)
    const files = await saveFiles(target, path, config, read)
    io.out(`configuration and key: ${files.length} files`)
    await writeManifest(target, {
      program: `chancery ${VERSION}`,
      made: new Date(systemClock.now()).toISOString(),
      server_name: config.server_name,
      ...(database === undefined ? {} : { database }),
      media: { path: 'media', from: config.media.path, files: media.files, bytes: media.bytes },
      files,
    })
    for (const name of media.damaged) io.err(`damaged, copied as it is: ${join(config.media.path, name)}`)
    return media.damaged.length === 0 ? EXIT.ok : EXIT.failed
  },
}

function prepareFolder(target: string): void {
  try {
    mkdirSync(target, { recursive: true, mode: 0o700 })
    if (readdirSync(target).length > 0)
      throw new CliError(`${target} is not empty; every backup wants a folder of its own`)
  } catch (error) {
    if (error instanceof CliError) throw error
    throw new CliError(`${target} cannot be used (${(error as NodeJS.ErrnoException).code ?? String(error)})`)
  }
}

/** The configuration under its usual name, the key under its own, and what else the configuration names in `files/`. */
async function saveFiles(
  target: string,
  path: string,
  config: Config,
  read: readonly string[],
): Promise<readonly SavedFile[]> {
  const others = new Set([
    ...read.filter((file) => file !== path),
    ...config.listeners.flatMap(({ tls }) => (tls === undefined ? [] : [tls.certificate, tls.key])),
    ...config.federation.ca_files,
    ...Object.values(config.federation.server_ca_files).flat(),
    ...config.appservices,
    ...(config.node_list.file === undefined ? [] : [config.node_list.file]),
  ])
  const wanted: [from: string, to: string][] = [
    [path, 'homeserver.yaml'],
    [config.signing_key_path, 'signing.key'],
  ]
  if (others.size > 0) mkdirSync(join(target, 'files'), { mode: 0o700 })
  // The number keeps files of one name apart.
  for (const from of others) wanted.push([from, join('files', `${wanted.length - 1}-${basename(from)}`)])
  const saved: SavedFile[] = []
  for (const [from, to] of wanted) {
    try {
      saved.push({ path: to, from, ...(await copyFile(from, join(target, to))) })
    } catch (error) {
      throw new CliError(
        `${from} cannot be copied (${(error as NodeJS.ErrnoException).code ?? String(error)})`,
      )
    }
  }
  return saved
}

/** Written last: a backup without it was cut short. */
async function writeManifest(target: string, manifest: Manifest): Promise<void> {
  const file = await open(join(target, 'MANIFEST.json'), 'wx', 0o600)
  try {
    await file.writeFile(`${JSON.stringify(manifest, undefined, 2)}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  const folder = await open(target, 'r')
  await folder.sync()
  await folder.close()
}
