import { readFileSync } from 'node:fs'
import { isAbsolute, join, normalize } from 'node:path'
import { CliError } from './command.js'

/** A file of a backup. */
export interface SavedFile {
  /** Relative to the backup. */
  readonly path: string
  /** Where it stood, and where the configuration looks for it. */
  readonly from: string
  readonly bytes: number
  readonly sha256: string
}

/** The copy of a SQLite database. The first backups tell no checksum of it. */
export interface SavedDatabase extends Pick<SavedFile, 'path' | 'from'> {
  readonly schema: number
  readonly bytes?: number
  readonly sha256?: string
}

/** What `MANIFEST.json` says of a backup. */
export interface Manifest {
  readonly program: string
  /** ISO 8601. */
  readonly made: string
  readonly server_name: string
  /** Absent where the database was saved by other means. */
  readonly database?: SavedDatabase
  readonly media: { readonly path: string; readonly from: string; readonly files: number; readonly bytes: number } // prettier-ignore
  /** The first is the configuration, the second the signing key. */
  readonly files: readonly SavedFile[]
}

/** Reads the manifest of a backup. Throws CliError where there is none, or it is not what `chancery backup` writes. */
export function readManifest(folder: string): Manifest {
  const path = join(folder, 'MANIFEST.json')
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error'
    throw new CliError(`${path} cannot be read (${code}): ${folder} is no backup, or one that was cut short`)
  }
  const manifest = parsed(text)
  if (manifest === undefined) throw new CliError(`${path} is damaged, or not of this program`)
  return manifest
}

function parsed(text: string): Manifest | undefined {
  try {
    const json = JSON.parse(text) as Partial<Manifest>
    const places = [json.media, ...(json.database === undefined ? [] : [json.database]), ...json.files!]
    const sound = places.every((place) => isInside(place?.path) && isAbsolute(place!.from))
    return sound && json.files!.length >= 2 ? (json as Manifest) : undefined
  } catch {
    return undefined
  }
}

const isInside = (path: unknown): boolean =>
  typeof path === 'string' && path !== '' && !isAbsolute(path) && !normalize(path).startsWith('..')
