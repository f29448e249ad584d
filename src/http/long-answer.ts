import type { ServerResponse } from 'node:http'

/** Bytes that are handed over at once; a longer answer goes out piece by piece, so that it is seen whether the client takes it. */
export const PIECE = 64 * 1024

/**
 * Writes a body after which the answer is complete. It does what a stream and a pipeline would, which cost more than many an answer. Where
 * the client goes, nothing is written any more. Pre: the header is set.
 */
export function writeInPieces(res: ServerResponse, bytes: Buffer): void {
  let at = 0
  const write = (): void => {
    while (!res.destroyed) {
      const piece = bytes.subarray(at, at + PIECE)
      at += PIECE
      if (at >= bytes.length) {
        res.end(piece)
        return
      }
      if (!res.write(piece)) {
        res.once('drain', write)
        return
      }
    }
  }
  write()
}
