import type { ServerResponse } from 'node:http'
import { MatrixError } from '../core/errors.js'

/** Of one user, server or address, in bytes. Its first answer is given whatever its size. */
const MAX_BYTES = 32 * 1024 * 1024
const RETRY_AFTER = 5_000

/** Large answers that nobody has taken yet: they lie in memory for as long as whoever asked for them is slow. */
export interface WaitingAnswers {
  /**
   * Counts an answer until it is taken or its connection ends. Throws M_LIMIT_EXCEEDED where too much waits for the same one already.
   */
  add(owner: string, bytes: number, res: ServerResponse): void
}

export function createWaitingAnswers(maxBytes = MAX_BYTES): WaitingAnswers {
  const waiting = new Map<string, number>()
  return {
    add(owner, bytes, res) {
      const before = waiting.get(owner) ?? 0
      if (before > 0 && before + bytes > maxBytes) {
        const told = 'Too many large answers wait for you: take them before you ask for more'
        throw new MatrixError('M_LIMIT_EXCEEDED', told, { retry_after_ms: RETRY_AFTER })
      }
      waiting.set(owner, before + bytes)
      res.once('close', () => {
        const left = (waiting.get(owner) ?? 0) - bytes
        if (left > 0) waiting.set(owner, left)
        else waiting.delete(owner)
      })
    },
  }
}
