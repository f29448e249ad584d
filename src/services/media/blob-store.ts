import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import {
  link,
  mkdir,
  open,
  opendir,
  rename,
  rm,
  stat,
  unlink,
  utimes,
  type FileHandle,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { MatrixError } from '../../core/errors.js'
import type { Random } from '../../platform/random.js'
import { createKeyedQueue, QueueFullError } from '../../platform/keyed-queue.js'
import { allBlobs, BLOB_NAME, isMissing, syncFolder, writeAll } from './blob-files.js'
import { faultCode, storageFault } from './disk-full.js'

/** Bytes that lie in a temporary file, hashed and not yet part of the store. */
export interface ReceivedBlob {
  readonly path: string
  /** Lower-case hexadecimal. */
  readonly sha256: string
  readonly size: number
}

export interface ByteRange {
  /** First and last byte, both included. */
  readonly start: number
  readonly end: number
}

/**
 * Files named by the SHA-256 of what is in them, under one root:
 * `blobs/ab/cd/abcd…`, `tmp/…` while bytes arrive, `trash/…` for the instant in which an orphan is judged.
 */
export interface BlobStore {
  /**
   * Writes a body to a temporary file while hashing it, one chunk in memory. `check` is called with the bytes so far and throws
   * to stop. On any error the temporary file is gone; a full disk is a MatrixError with status 507.
   */
  receive(body: AsyncIterable<Uint8Array>, check: (size: number) => void): Promise<ReceivedBlob>
  /** A fresh path for somebody else to write, to be handed to `adopt` or `discard`. */
  temporary(): Promise<string>
  /** Hashes a file written at a path of `temporary()`. */
  adopt(path: string): Promise<ReceivedBlob>
  discard(path: string): Promise<void>
  /**
   * Makes the bytes part of the store, durably, then runs `record` (which writes the row), while no sweep may take
   * the file. When `record` throws, the file is left to `collect` and the sweep. The temporary file is gone afterwards.
   */
  land<T>(blob: ReceivedBlob, record: () => Promise<T>): Promise<T>
  /** Opens it at once, so that a sweep can no longer take it away. Undefined when there is no such file. */
  read(sha256: string, range?: ByteRange): Promise<Readable | undefined>
  /** The path for a reader in another process. */
  pathOf(sha256: string): string
  /** Deletes those of the blobs that are older than `graceMs` and that `inUse` does not name. Gives how many. */
  collect(hashes: readonly string[], graceMs: number, inUse: InUse): Promise<number>
  /** Goes through the whole store: temporary files nobody writes, trash, orphans. Gives what it deleted. */
  sweep(graceMs: number, inUse: InUse): Promise<{ temporary: number; orphans: number }>
}

export type InUse = (hashes: readonly string[]) => Promise<ReadonlySet<string>>

export interface BlobStoreDeps {
  readonly random: Random
  readonly clock: { now(): number }
  readonly root: string
}

const SWEEP_BATCH = 200

export async function createBlobStore(deps: BlobStoreDeps): Promise<BlobStore> {
  const { random, clock } = deps
  const blobs = join(deps.root, 'blobs')
  const tmp = join(deps.root, 'tmp')
  const trash = join(deps.root, 'trash')
  for (const folder of [deps.root, blobs, tmp, trash]) {
    await mkdir(folder, { recursive: true, mode: 0o700 })
  }
  await syncFolder(deps.root)
  await syncFolder(dirname(deps.root))
  /** Temporary files that this process is writing. */
  const active = new Set<string>()
  /** Landing and collecting the same blob take turns. */
  const turns = createKeyedQueue()
  /** Folders whose entry in their parent is known to be on disk. */
  const madeFolders = new Set<string>()

  const pathOf = (sha256: string): string => {
    if (!BLOB_NAME.test(sha256)) throw new Error('not a blob name')
    return join(blobs, sha256.slice(0, 2), sha256.slice(2, 4), sha256)
  }

  async function folderOf(sha256: string): Promise<string> {
    const outer = join(blobs, sha256.slice(0, 2))
    const inner = join(outer, sha256.slice(2, 4))
    if (madeFolders.has(inner)) return inner
    await mkdir(inner, { recursive: true, mode: 0o700 })
    await syncFolder(outer)
    await syncFolder(blobs)
    madeFolders.add(inner)
    return inner
  }

  async function temporary(): Promise<string> {
    const path = join(tmp, random.string(24))
    active.add(path)
    return path
  }

  async function discard(path: string): Promise<void> {
    await rm(path, { force: true })
    active.delete(path)
  }

  async function receive(
    body: AsyncIterable<Uint8Array>,
    check: (size: number) => void,
  ): Promise<ReceivedBlob> {
    const path = await temporary()
    let file: FileHandle | undefined
    try {
      file = await open(path, 'wx', 0o600)
      const hash = createHash('sha256')
      let size = 0
      for await (const chunk of body) {
        size += chunk.byteLength
        check(size)
        hash.update(chunk)
        await writeAll(file, chunk)
      }
      await file.sync()
      await file.close()
      file = undefined
      return { path, sha256: hash.digest('hex'), size }
    } catch (error) {
      await file?.close().catch(() => undefined)
      await discard(path)
      throw storageFault(error)
    }
  }

  async function adopt(path: string): Promise<ReceivedBlob> {
    const hash = createHash('sha256')
    let size = 0
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      hash.update(chunk)
      size += chunk.length
    }
    const file = await open(path, 'r+')
    try {
      await file.sync()
    } finally {
      await file.close()
    }
    return { path, sha256: hash.digest('hex'), size }
  }

  async function place(blob: ReceivedBlob): Promise<void> {
    const folder = await folderOf(blob.sha256)
    // Renaming over an equal file is harmless, and gives it a new age: no sweep takes it for an old orphan.
    await rename(blob.path, pathOf(blob.sha256))
    await syncFolder(folder)
  }

  async function land<T>(blob: ReceivedBlob, record: () => Promise<T>): Promise<T> {
    try {
      return await turns.run(blob.sha256, async () => {
        const now = new Date(clock.now())
        await utimes(blob.path, now, now)
        try {
          await place(blob)
        } catch (error) {
          if (!isMissing(error)) throw error
          // The folder was removed under us by hand: make it again.
          madeFolders.clear()
          await place(blob)
        }
        return record()
      })
    } catch (error) {
      if (error instanceof QueueFullError) {
        const extra = { retry_after_ms: 1000 }
        throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many uploads of the same file', extra)
      }
      throw storageFault(error)
    } finally {
      await discard(blob.path)
    }
  }

  async function read(sha256: string, range?: ByteRange): Promise<Readable | undefined> {
    try {
      const file = await open(pathOf(sha256), 'r')
      return file.createReadStream(range === undefined ? {} : { start: range.start, end: range.end })
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }

  /** Older than the grace, by the clock that `land` stamps files with. */
  async function isOld(path: string, graceMs: number): Promise<boolean> {
    const { mtimeMs } = await stat(path)
    // A clock that was set back makes files of the future: they are no orphans until it has caught up.
    return graceMs === 0 || clock.now() - mtimeMs >= graceMs
  }

  async function collectOne(sha256: string, graceMs: number, inUse: InUse): Promise<boolean> {
    return turns.run(sha256, async () => {
      const path = pathOf(sha256)
      const aside = join(trash, `${sha256}.${random.string(8)}`)
      try {
        if (!(await isOld(path, graceMs))) return false
        await rename(path, aside)
      } catch (error) {
        if (isMissing(error)) return false
        throw error
      }
      return judge(aside, sha256, graceMs, inUse)
    })
  }

  /**
   * Once aside, no other process can land onto this very file: now its age and the rows decide. A file that another
   * process landed between the first look and the rename is young, and is put back.
   */
  async function judge(aside: string, sha256: string, graceMs: number, inUse: InUse): Promise<boolean> {
    let keep = true
    try {
      keep = !(await isOld(aside, graceMs)) || (await inUse([sha256])).has(sha256)
    } finally {
      if (keep) {
        await folderOf(sha256)
        // Not a rename: what was landed meanwhile must not be replaced.
        await link(aside, pathOf(sha256)).catch((error: unknown) => {
          if (faultCode(error) !== 'EEXIST') throw error
        })
        await syncFolder(dirname(pathOf(sha256)))
      }
      await unlink(aside)
    }
    return !keep
  }

  async function collect(hashes: readonly string[], graceMs: number, inUse: InUse): Promise<number> {
    let deleted = 0
    for (let at = 0; at < hashes.length; at += SWEEP_BATCH) {
      const batch = hashes.slice(at, at + SWEEP_BATCH)
      const used = await inUse(batch)
      for (const sha256 of batch) {
        if (!used.has(sha256) && (await collectOne(sha256, graceMs, inUse))) deleted++
      }
    }
    return deleted
  }

  async function sweepTemporary(graceMs: number): Promise<number> {
    let deleted = 0
    for await (const entry of await opendir(tmp)) {
      const path = join(tmp, entry.name)
      if (!entry.isFile() || active.has(path)) continue
      // Age is judged by the file system's own time here: the file was never stamped.
      if (await isOld(path, graceMs).catch(() => false)) {
        await rm(path, { force: true })
        deleted++
      }
    }
    return deleted
  }

  /** What a crash left between "put aside" and "judged" is judged again. */
  async function sweepTrash(graceMs: number, inUse: InUse): Promise<void> {
    for await (const entry of await opendir(trash)) {
      const sha256 = entry.name.slice(0, 64)
      if (!entry.isFile() || !BLOB_NAME.test(sha256)) continue
      await turns.run(sha256, async () => {
        await judge(join(trash, entry.name), sha256, graceMs, inUse).catch((error: unknown) => {
          if (!isMissing(error)) throw error
        })
      })
    }
  }

  async function sweep(graceMs: number, inUse: InUse): Promise<{ temporary: number; orphans: number }> {
    const temporaryFiles = await sweepTemporary(graceMs)
    await sweepTrash(graceMs, inUse)
    let orphans = 0
    let batch: string[] = []
    for await (const sha256 of allBlobs(blobs)) {
      batch.push(sha256)
      if (batch.length < SWEEP_BATCH) continue
      orphans += await collect(batch, graceMs, inUse)
      batch = []
    }
    orphans += await collect(batch, graceMs, inUse)
    return { temporary: temporaryFiles, orphans }
  }

  return { receive, temporary, adopt, discard, land, read, pathOf, collect, sweep }
}
