import { existsSync } from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative } from 'node:path'
import type { Manifest, SavedFile } from './backup-manifest.js'
import { copyFile, copyMedia, sha256Of, type MediaCopy } from './backup-media.js'
import { CliError } from './command.js'

interface Place {
  /** Relative to the backup. */
  readonly path: string
  readonly to: string
}

/** Where each part of a backup goes. */
export interface Places {
  readonly files: readonly (Place & Pick<SavedFile, 'sha256'>)[]
  readonly media: Place
  readonly database?: Place & Partial<Pick<SavedFile, 'sha256'>>
}

/** Where it all stood; with `folder`, what lay in or under the folder of the configuration goes there instead. */
export function placesOf(manifest: Manifest, folder: string | undefined): Places {
  const old = dirname(manifest.files[0]!.from)
  const placeOf = (from: string): string => {
    if (folder === undefined) return from
    const inner = relative(old, from)
    return inner.startsWith('..') || isAbsolute(inner) ? from : join(folder, inner)
  }
  const { media, database } = manifest
  return {
    files: manifest.files.map(({ path, from, sha256 }) => ({ path, to: placeOf(from), sha256 })),
    media: { path: media.path, to: placeOf(media.from) },
    ...(database === undefined ? {} : { database: { ...database, to: placeOf(database.from) } }),
  }
}

/**
 * Puts the configuration, the key and the files of the configuration in their places. One that is there with the same content stays. Throws CliError,
 * before anything is written, where another one is there, the database's place is taken, or the backup is damaged.
 */
export async function placeFiles(
  source: string,
  places: Places,
  onPresent: (path: string) => void,
): Promise<void> {
  const database = places.database?.to
  for (const path of database === undefined ? [] : [database, `${database}-wal`, `${database}-shm`])
    if (existsSync(path)) throw new CliError(`${path} is there: move it away, nothing is replaced`)
  for (const { path, sha256 } of [
    ...places.files,
    ...(places.database === undefined ? [] : [places.database]),
  ]) {
    if (sha256 !== undefined && (await sha256Of(join(source, path))) !== sha256)
      throw new CliError(`${join(source, path)} is damaged: its checksum is not that of MANIFEST.json`)
  }
  const present = new Set<string>()
  for (const { to, sha256 } of places.files) {
    if (!existsSync(to)) continue
    if ((await sha256Of(to)) !== sha256)
      throw new CliError(`${to} is there, and other than in the backup: move it away, nothing is replaced`)
    present.add(to)
  }
  for (const { path, to } of places.files) {
    if (present.has(to)) onPresent(to)
    else await place(join(source, path), to)
  }
}

/** Puts the media in their place; files that are there stay, since their name says what they hold. */
export async function placeMedia(source: string, places: Places): Promise<MediaCopy> {
  const from = join(source, places.media.path)
  if (!existsSync(from)) return { files: 0, bytes: 0, damaged: [] }
  try {
    await mkdir(dirname(places.media.to), { recursive: true, mode: 0o700 })
    return await copyMedia(from, places.media.to)
  } catch (error) {
    throw unplaced(places.media.to, error)
  }
}

/** Puts the database in its place, whole or not at all, and looks through it. Gives its schema. */
export async function placeDatabase(source: string, database: Place): Promise<number> {
  const { checkSqliteCopy } = await import('../storage/sqlite-backup.js')
  const half = `${database.to}-restoring`
  await rm(half, { force: true })
  await place(join(source, database.path), half)
  try {
    const schema = checkSqliteCopy(half)
    await rename(half, database.to)
    await syncFolder(dirname(database.to))
    return schema
  } catch (error) {
    await rm(half, { force: true })
    throw error
  }
}

async function place(from: string, to: string): Promise<void> {
  try {
    await mkdir(dirname(to), { recursive: true, mode: 0o700 })
    await copyFile(from, to)
    await syncFolder(dirname(to))
  } catch (error) {
    throw unplaced(to, error)
  }
}

const unplaced = (to: string, error: unknown): CliError =>
  new CliError(`${to} cannot be written (${(error as NodeJS.ErrnoException).code ?? String(error)})`)

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
