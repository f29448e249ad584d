import { createHash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { mkdir, open, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { CliError } from './command.js'

export interface MediaCopy {
  readonly files: number
  readonly bytes: number
  /** Files whose bytes are not those that their name promises; copied all the same. */
  readonly damaged: readonly string[]
}

/** Uploads under way, and what is being deleted. */
const PASSING = new Set(['tmp', 'trash'])
/** A blob is named by the SHA-256 of its bytes. */
const BLOB = /^[0-9a-f]{64}$/
const MAX_DEPTH = 4

/**
 * Copies every blob under `from`, keeping its place. What the node deletes meanwhile is left out: no row names it any more. What is at its place in
 * `to` already stays as it is, and is not counted.
 */
export async function copyMedia(from: string, to: string): Promise<MediaCopy> {
  const damaged: string[] = []
  let files = 0
  let bytes = 0

  async function folder(path: string, depth: number): Promise<void> {
    const entries = await opendir(join(from, path)).catch(gone)
    if (entries === undefined) return
    await mkdir(join(to, path), { recursive: true, mode: 0o700 })
    for await (const entry of entries) {
      const inner = join(path, entry.name)
      if (depth === 0 && PASSING.has(entry.name)) continue
      if (entry.isDirectory() && depth < MAX_DEPTH) await folder(inner, depth + 1)
      if (!entry.isFile() || !BLOB.test(entry.name)) continue
      if (existsSync(join(to, inner))) continue
      const copied = await copyFile(join(from, inner), join(to, inner)).catch(gone)
      if (copied === undefined) continue
      files += 1
      bytes += copied.bytes
      if (copied.sha256 !== entry.name) damaged.push(inner)
    }
  }

  await folder('', 0)
  return { files, bytes, damaged }
}

function gone(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined
  throw error
}

/** Copies a file so that it is on disk afterwards, readable by its owner alone; `to` must not exist. */
export async function copyFile(from: string, to: string): Promise<{ bytes: number; sha256: string }> {
  const source = createReadStream(from, { highWaterMark: 256 * 1024 })
  // Opened before the target is made: a file that has gone leaves nothing.
  await new Promise<void>((resolve, reject) => {
    source.once('open', () => resolve())
    source.once('error', reject)
  })
  const target = await open(to, 'wx', 0o600)
  const hash = createHash('sha256')
  let bytes = 0
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      hash.update(chunk)
      bytes += chunk.byteLength
      await target.writeFile(chunk)
    }
    await target.sync()
  } finally {
    await target.close()
  }
  return { bytes, sha256: hash.digest('hex') }
}

/** The checksum of a file, in hexadecimal. Throws CliError where it cannot be read. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) hash.update(chunk)
  } catch (error) {
    throw new CliError(`${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`)
  }
  return hash.digest('hex')
}
