import type { Dirent } from 'node:fs'
import { open, opendir, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { faultCode } from './disk-full.js'

/** A SHA-256 in lower-case hexadecimal. */
export const BLOB_NAME = /^[0-9a-f]{64}$/

/** The names of all blobs under a root, in no order. */
export async function* allBlobs(root: string): AsyncGenerator<string> {
  for await (const outer of folders(root)) {
    for await (const inner of folders(join(root, outer.name))) {
      for await (const entry of await opendir(join(root, outer.name, inner.name))) {
        if (entry.isFile() && BLOB_NAME.test(entry.name)) yield entry.name
      }
    }
  }
}

async function* folders(path: string): AsyncGenerator<Dirent> {
  for await (const entry of await opendir(path)) if (entry.isDirectory()) yield entry
}

/** Whether an error says that there is no such file. */
export const isMissing = (error: unknown): boolean => faultCode(error) === 'ENOENT'

/** A write may take a part only. */
export async function writeAll(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.byteLength;) {
    const { bytesWritten } = await file.write(chunk, at)
    at += bytesWritten
  }
}

/** A new name is on disk only once its folder is. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
