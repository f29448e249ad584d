import type { Readable } from 'node:stream'
import { MatrixError } from '../../core/errors.js'

/**
 * The chunks of a stream, which is left open when reading stops early: destroying a request would cut the
 * connection on which the error is still to be told.
 * Throws M_UNKNOWN with status 408 when no byte arrives for `idleMs`, 400 when the sender hangs up.
 */
export async function* incomingChunks(stream: Readable, idleMs: number): AsyncGenerator<Uint8Array> {
  const iterator = stream.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array>
  let timer: NodeJS.Timeout | undefined
  let expire: (reason: Error) => void = () => undefined
  const idle = new Promise<never>((_, reject) => {
    expire = reject
  })
  idle.catch(() => undefined)
  const arm = (): void => {
    timer = setTimeout(
      () => expire(new MatrixError('M_UNKNOWN', 'The body stopped arriving', {}, 408)),
      idleMs,
    )
  }
  try {
    for (;;) {
      arm()
      const { done, value } = await Promise.race([iterator.next(), idle]).catch(cutOff)
      clearTimeout(timer)
      if (done) return
      yield value
    }
  } finally {
    clearTimeout(timer)
    // Not awaited: while a chunk is outstanding it would wait for that chunk.
    iterator.return?.().catch(() => undefined)
  }
}

function cutOff(error: unknown): never {
  if (error instanceof MatrixError) throw error
  throw new MatrixError('M_UNKNOWN', 'The body was cut off', {}, 400)
}
