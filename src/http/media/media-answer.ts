import type { IncomingHttpHeaders } from 'node:http'
import type { MediaFile } from '../../services/media/media.js'
import { contentDisposition } from '../../services/media/content-disposition.js'
import { reply, type Reply } from '../route.js'
import { byteRange } from './byte-range.js'

/**
 * What keeps a stranger's file from doing anything in the browser that opens it.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#content-repository
 */
export const SAFETY = {
  'Content-Security-Policy':
    "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; style-src 'unsafe-inline'; object-src 'self';",
  'X-Content-Type-Options': 'nosniff',
  'Cross-Origin-Resource-Policy': 'cross-origin',
} as const

/** A media id never changes its content; `private` keeps what needed a token out of shared caches. */
const cacheControl = (shared: boolean): string =>
  `${shared ? 'public' : 'private'}, max-age=31536000, immutable`

export interface MediaAnswerOptions {
  readonly headers: IncomingHttpHeaders
  /** Whether it was given without a token. */
  readonly anonymous: boolean
  /** The name to give it instead of its own. */
  readonly fileName?: string
}

/** The bytes of a medium, or one range of them, or 304 when the client has them. */
export async function mediaAnswer(file: MediaFile, options: MediaAnswerOptions): Promise<Reply> {
  const etag = `"${file.sha256}"`
  const common = {
    ...SAFETY,
    'Content-Type': file.contentType,
    'Content-Disposition': contentDisposition(file.contentType, options.fileName ?? file.fileName),
    'Cache-Control': cacheControl(options.anonymous),
    'Accept-Ranges': 'bytes',
    ETag: etag,
  }
  const known = options.headers['if-none-match']
  if (known !== undefined && known.split(',', 20).some((tag) => matches(tag, etag))) {
    return reply({ status: 304, headers: common })
  }
  // Whoever resumes an older version of the file gets all of it. An id has one version, so this is for strangers' caches.
  const resumes = options.headers['if-range'] ?? etag
  const range = resumes === etag ? byteRange(options.headers.range, file.size) : undefined
  if (range === 'unsatisfiable') {
    return reply({ status: 416, headers: { ...SAFETY, 'Content-Range': `bytes */${file.size}` } })
  }
  if (range === undefined) {
    return reply({
      headers: { ...common, 'Content-Length': String(file.size) },
      body: await file.open(),
    })
  }
  return reply({
    status: 206,
    headers: {
      ...common,
      'Content-Length': String(range.end - range.start + 1),
      'Content-Range': `bytes ${range.start}-${range.end}/${file.size}`,
    },
    body: await file.open(range),
  })
}

function matches(tag: string, etag: string): boolean {
  const trimmed = tag.trim()
  return trimmed === '*' || trimmed === etag || trimmed === `W/${etag}`
}
