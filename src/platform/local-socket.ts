import { chmodSync, existsSync, unlinkSync } from 'node:fs'
import { connect, type Server } from 'node:net'

/** The kernel keeps the path in a field of this size: 108 bytes on Linux, 104 on others, with a NUL at the end. */
export const MAX_SOCKET_PATH = 103

const PROBE_MS = 1_000

/**
 * Listens on a socket of the file system that the user of this process alone can open. Replaces a socket that a process left behind
 * which is gone. Gives why it cannot, as a sentence, or undefined when it listens.
 */
export async function listenPrivately(server: Server, path: string): Promise<string | undefined> {
  if (process.platform === 'win32') return 'this system has no sockets in the file system'
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH)
    return `the path ${path} has more than ${MAX_SOCKET_PATH} bytes, which no socket may have`
  if (existsSync(path)) {
    if (await answers(path)) return `another process listens on ${path}`
    unlinkSync(path)
  }
  return new Promise((resolve) => {
    const onError = (error: NodeJS.ErrnoException): void =>
      resolve(`${path} cannot be made (${error.code ?? error.message})`)
    server.once('error', onError)
    // The socket is made at once, inside `listen`: it is never open to others, not even for a moment.
    const before = process.umask(0o177)
    try {
      server.listen(path, () => {
        server.off('error', onError)
        chmodSync(path, 0o600)
        resolve(undefined)
      })
    } finally {
      process.umask(before)
    }
  })
}

/** Whether somebody listens on the socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path)
    const end = (answer: boolean): void => {
      probe.destroy()
      resolve(answer)
    }
    probe.setTimeout(PROBE_MS, () => end(true))
    probe.once('connect', () => end(true))
    probe.once('error', () => end(false))
  })
}
