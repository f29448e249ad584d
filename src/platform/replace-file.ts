import { chmod, chown, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Puts a text in the place of a file, which keeps its owner and its mode. Whoever reads sees the old text or the new one, also after a
 * power cut; the text is on disk when the promise resolves. Rejects with the error of the file system.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  // Behind a link, the file that it leads to is the one to replace.
  const target = await realpath(path)
  const before = await stat(target)
  const fresh = `${target}.new`
  // Left by a process that ended before its rename.
  await rm(fresh, { force: true })
  try {
    const file = await open(fresh, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    if (process.getuid?.() === 0) await chown(fresh, before.uid, before.gid)
    await chmod(fresh, before.mode & 0o777)
    await rename(fresh, target)
  } catch (error) {
    await rm(fresh, { force: true })
    throw error
  }
  const folder = await open(dirname(target), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
