import { Readable } from 'node:stream'

export interface MultipartMedia {
  readonly contentType: string
  readonly contentDisposition: string
  /** Bytes of `content`. */
  readonly size: number
  readonly content: Readable
}

export interface MultipartAnswer {
  readonly contentType: string
  /** Bytes of the whole answer. */
  readonly contentLength: number
  readonly body: Readable
}

/**
 * The two parts in which a medium travels between servers. `boundary` must be unguessable, so that no uploader can
 * write it into the medium.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1mediadownloadmediaid
 */
export function multipartAnswer(media: MultipartMedia, boundary: string): MultipartAnswer {
  const head = Buffer.from(
    `--${boundary}\r\nContent-Type: application/json\r\n\r\n{}\r\n--${boundary}\r\n` +
      `Content-Type: ${media.contentType}\r\nContent-Disposition: ${media.contentDisposition}\r\n\r\n`,
    'utf8',
  )
  const end = Buffer.from(`\r\n--${boundary}--\r\n`, 'latin1')
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield head
    yield* media.content as AsyncIterable<Uint8Array>
    yield end
  }
  const body = Readable.from(pieces(), { objectMode: false })
  // A generator that nobody began to read has no `finally` that could close the file.
  body.once('close', () => media.content.destroy())
  return {
    contentType: `multipart/mixed; boundary=${boundary}`,
    contentLength: head.length + media.size + end.length,
    body,
  }
}
