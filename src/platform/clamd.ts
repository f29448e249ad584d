import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** Where clamd listens: a socket of the file system, or host and port. */
export type ClamdAddress = { readonly path: string } | { readonly host: string; readonly port: number }

/** What clamd says of a stream. `refused`: it does not look at it, in its own words. */
export type ClamdReply =
  | { readonly kind: 'ok' }
  | { readonly kind: 'found'; readonly signature: string }
  | { readonly kind: 'too-large' }
  | { readonly kind: 'refused'; readonly message: string }

/** A connection that could not be made, or that ended without an answer that can be read. */
export class ClamdError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ClamdError'
  }
}

export interface Clamd {
  /**
   * Has clamd look at a stream of bytes (INSTREAM). Rejects with ClamdError for whatever is wrong with clamd, with the signal's reason
   * where it is aborted, and with the stream's own error where that fails. One connection each.
   */
  scan(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<ClamdReply>
  /** Engine and signatures, as clamd names them. Rejects as `scan`. */
  version(signal: AbortSignal): Promise<string>
}

/** Of one frame. clamd reads frames of any length up to its StreamMaxLength. */
const MAX_FRAME = 256 * 1024
const MAX_REPLY = 4_096
const NOTHING = Buffer.alloc(4)

export function createClamd(address: ClamdAddress): Clamd {
  /** One command on a connection of its own; `send` writes what follows the command. */
  async function ask(
    command: string,
    signal: AbortSignal,
    send: (socket: Socket) => Promise<void>,
  ): Promise<string> {
    signal.throwIfAborted()
    const socket = connect(address)
    const cut = (): void => void socket.destroy()
    signal.addEventListener('abort', cut, { once: true })
    try {
      const reply = replyOf(socket).finally(cut)
      socket.write(`z${command}\0`)
      // Whichever fails first is told: the sender never fails for want of a reader.
      const [text] = await Promise.all([reply, send(socket)])
      return text
    } catch (error) {
      if (signal.aborted) throw signal.reason
      throw error
    } finally {
      signal.removeEventListener('abort', cut)
      cut()
    }
  }

  return {
    async scan(bytes, signal) {
      let isWhole = false
      const text = await ask('INSTREAM', signal, async (socket) => {
        isWhole = await sendFrames(socket, bytes)
      })
      const reply = parseReply(text)
      // What was not read to its end is not known to be clean.
      if (reply.kind === 'ok' && !isWhole) throw new ClamdError('clamd answered before it had the whole file')
      return reply
    },
    version: (signal) => ask('VERSION', signal, () => Promise.resolve()),
  }
}

/** Gives whether all of it went out: clamd may answer, or hang up, before the end. */
async function sendFrames(socket: Socket, bytes: AsyncIterable<Uint8Array>): Promise<boolean> {
  for await (const chunk of bytes) {
    for (let at = 0; at < chunk.length; at += MAX_FRAME) {
      if (!socket.writable) return false
      const piece = chunk.subarray(at, at + MAX_FRAME)
      const length = Buffer.allocUnsafe(4)
      length.writeUInt32BE(piece.length)
      socket.write(length)
      if (!socket.write(piece)) await drained(socket)
    }
  }
  if (!socket.writable) return false
  socket.write(NOTHING)
  return true
}

/** Resolves when more can be written, or nothing ever. */
async function drained(socket: Socket): Promise<void> {
  if (socket.destroyed) return
  const given = new AbortController()
  const { signal } = given
  await Promise.race([once(socket, 'drain', { signal }), once(socket, 'close', { signal })]).catch(
    () => undefined,
  )
  given.abort()
}

/** The answer up to its NUL. Rejects with ClamdError where the connection fails or ends before. */
function replyOf(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    socket.setEncoding('latin1')
    socket.on('data', (piece: string) => {
      text += piece
      const end = text.indexOf('\0')
      if (end !== -1) resolve(text.slice(0, end))
      else if (text.length > MAX_REPLY) reject(new ClamdError('the answer of clamd has no end'))
    })
    socket.on('error', (error) => {
      // A socket that breaks while we write may have the answer in it still: `close` comes after what was read.
      failure = error
    })
    let failure: Error | undefined
    socket.on('close', () => {
      reject(
        failure === undefined
          ? new ClamdError('clamd hung up without an answer')
          : new ClamdError(`clamd cannot be reached: ${failure.message}`, { cause: failure }),
      )
    })
  })
}

/** Exported for tests. Whatever is not known to mean "clean" does not. */
export function parseReply(text: string): ClamdReply {
  if (text === 'stream: OK') return { kind: 'ok' }
  if (text.startsWith('stream: ') && text.endsWith(' FOUND'))
    return { kind: 'found', signature: text.slice('stream: '.length, -' FOUND'.length) }
  if (text.startsWith('INSTREAM size limit exceeded')) return { kind: 'too-large' }
  return { kind: 'refused', message: text }
}
