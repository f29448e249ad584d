import type { Readable } from 'node:stream'
import { FederationError } from '../../federation/client.js'

export interface ReadingPace {
  /** How long a peer may take to bring `minBytes`, in milliseconds. What we do with the bytes meanwhile does not count. */
  readonly windowMs: number
  /** Asked at the end of each window: more may be wanted while others wait. */
  readonly minBytes: () => number
}

/**
 * The bytes of an answer, as long as they come fast enough: who brings a byte a second would hold, with a time limit alone, what
 * an answer holds for as long as the limit lasts. Throws `FederationError` (`timeout`).
 */
export async function* atPace(
  body: Readable,
  { windowMs, minBytes }: ReadingPace,
): AsyncGenerator<Uint8Array> {
  const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
  let waited = 0
  let bytes = 0
  /** Ends a window. */
  function judge(): void {
    const wanted = minBytes()
    if (bytes < wanted)
      throw new FederationError(
        'timeout',
        `the answer came with ${bytes} bytes in ${windowMs} ms, too slowly`,
      )
    waited = 0
    bytes = 0
  }
  try {
    for (;;) {
      const next = chunks.next()
      // Met below, unless the window ends first and it is nobody's any more.
      next.catch(() => undefined)
      let result: IteratorResult<Uint8Array> | undefined
      while (result === undefined) {
        const began = performance.now()
        result = await orTime(next, windowMs - waited)
        waited += performance.now() - began
        if (result?.done === true) return
        bytes += result?.value.byteLength ?? 0
        if (waited >= windowMs || result === undefined) judge()
      }
      yield result.value
    }
  } finally {
    body.destroy()
  }
}

/** What the promise gives, undefined where it takes longer. */
async function orTime<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), Math.max(ms, 0))
  })
  try {
    return await Promise.race([promise, over])
  } finally {
    clearTimeout(timer)
  }
}
