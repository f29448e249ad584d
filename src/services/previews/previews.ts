import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { forbidden, invalidParam, MatrixError } from '../../core/errors.js'
import { readPictureSize, type PictureSize } from '../../core/picture-size.js'
import type { JsonObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import { createLru } from '../../platform/lru.js'
import { createSemaphore, SemaphoreFullError } from '../../platform/semaphore.js'
import { deleteMedia } from '../../storage/tables/media.js'
import {
  deleteUrlPreviews,
  insertUrlPreview,
  oldUrlPreviews,
  urlPreviewAt,
} from '../../storage/tables/url-previews.js'
import type { Store } from '../../storage/tx.js'
import type { Media } from '../media/media.js'
import type { Fetched, UrlFetcher } from './fetch-url.js'
import { pageText } from './page-text.js'
import { readPage } from './read-page.js'

export interface Previews {
  /**
   * What a page says of itself. `ts`: when it was spoken of, in milliseconds since the epoch; a preview of then is preferred to
   * a new one. Throws M_UNRECOGNIZED where previews are off, M_INVALID_PARAM and M_FORBIDDEN for addresses that are not asked,
   * M_LIMIT_EXCEEDED, and M_UNKNOWN with 502 for all others without an answer, whatever the reason.
   * SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediapreview_url
   */
  preview(userId: string, url: string, ts: number | undefined): Promise<JsonObject>
  /** Job: forgets previews that are too old for anybody to ask for, and their pictures. */
  prune(): Promise<number>
}

export interface PreviewsOptions {
  readonly enabled: boolean
  /** Bytes of the largest picture. */
  readonly maxImageBytes: number
  readonly cacheMs: number
}

export interface PreviewsDeps {
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
  readonly media: Pick<Media, 'upload' | 'serverName'>
  readonly fetcher: UrlFetcher
  readonly options: PreviewsOptions
}

const MAX_URL = 2_048
/** A page says what it is at its beginning. */
const MAX_PAGE_BYTES = 524_288
const RUNNING = 8
const WAITING = 64
/** How long an address without an answer is left alone. */
const FAILED_MS = 5 * 60_000
const MAX_FAILED = 2_000
const KEPT_MS = 30 * 86_400_000
const PAGES = new Set(['text/html', 'application/xhtml+xml'])
const PICTURES = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif'])

interface Picture {
  readonly uri: string
  readonly type: string
  readonly size: number
  readonly pixels: PictureSize | undefined
}

export function createPreviews(deps: PreviewsDeps): Previews {
  const { store, clock, logger, media, fetcher, options } = deps
  const gate = createSemaphore({ permits: RUNNING, maxWaiting: WAITING })
  const running = new Map<string, Promise<JsonObject>>()
  const failed = createLru<string, true>({ max: MAX_FAILED, ttlMs: FAILED_MS, clock })

  const unavailable = (): MatrixError => new MatrixError('M_UNKNOWN', 'This address has no preview', {}, 502)

  function parse(text: string): URL {
    if (text.length > MAX_URL || !URL.canParse(text)) throw invalidParam('`url` is not an address')
    const url = new URL(text)
    url.hash = ''
    if (!fetcher.isAllowed(url)) throw forbidden('This server shows no previews of this address')
    return url
  }

  async function get(url: URL, accept: string, maxBytes: number): Promise<Fetched | undefined> {
    try {
      return await fetcher.get(url, { accept, maxBytes })
    } catch (error) {
      logger.debug({ err: error, host: url.host }, 'no preview')
      return undefined
    }
  }

  async function keep(userId: string, found: Fetched | undefined): Promise<Picture | undefined> {
    if (found === undefined || !PICTURES.has(found.type) || !found.isWhole || found.bytes.length === 0)
      return undefined
    try {
      const { bytes, type } = found
      const upload = { userId, body: Readable.from([bytes]), declaredLength: String(bytes.length), contentType: type, fileName: undefined } // prettier-ignore
      return { uri: await media.upload(upload), type, size: bytes.length, pixels: readPictureSize(bytes) }
    } catch (error) {
      // A preview without its picture is better than none.
      logger.warn({ err: error }, 'the picture of a preview cannot be stored')
      return undefined
    }
  }

  const ofPicture = (picture: Picture | undefined): JsonObject =>
    picture === undefined
      ? {}
      : {
          'og:image': picture.uri,
          'og:image:type': picture.type,
          'matrix:image:size': picture.size,
          ...(picture.pixels && {
            'og:image:width': picture.pixels.width,
            'og:image:height': picture.pixels.height,
          }),
        }

  async function make(
    userId: string,
    url: URL,
  ): Promise<{ preview: JsonObject; picture: Picture | undefined }> {
    const limit = Math.max(MAX_PAGE_BYTES, options.maxImageBytes)
    const found = await get(url, 'text/html, application/xhtml+xml, image/*;q=0.9, */*;q=0.1', limit)
    if (found === undefined) throw unavailable()
    if (!PAGES.has(found.type)) {
      const picture = found.bytes.length > options.maxImageBytes ? undefined : await keep(userId, found)
      return { preview: ofPicture(picture), picture }
    }
    const page = await readPage(pageText(found.bytes.subarray(0, MAX_PAGE_BYTES), found.contentType))
    const { image } = page
    const address = image !== undefined && URL.canParse(image, found.url.href) ? new URL(image, found.url) : undefined // prettier-ignore
    const isAsked = address !== undefined && address.href.length <= MAX_URL && fetcher.isAllowed(address)
    const picture = isAsked
      ? await keep(userId, await get(address, 'image/*', options.maxImageBytes))
      : undefined
    return { preview: { ...Object.fromEntries(page.og), ...ofPicture(picture) } as JsonObject, picture }
  }

  async function fetchNew(userId: string, url: URL, hash: string): Promise<JsonObject> {
    const { preview, picture } = await gate.run(() => make(userId, url))
    const now = clock.now()
    await store.write('previews.keep', () =>
      insertUrlPreview({
        url_hash: hash,
        fetched_ts: now,
        expires_ts: now + options.cacheMs,
        preview: JSON.stringify(preview),
        media_id: picture === undefined ? null : picture.uri.slice(picture.uri.lastIndexOf('/') + 1),
      }),
    )
    return preview
  }

  /** Many ask at once for what was just said in a large room: one of them fetches. */
  function once(userId: string, url: URL, hash: string): Promise<JsonObject> {
    const known = running.get(hash)
    if (known !== undefined) return known
    const work = fetchNew(userId, url, hash)
      .catch((error: unknown) => {
        if (error instanceof SemaphoreFullError)
          throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many previews are being made', { retry_after_ms: 5_000 }) // prettier-ignore
        if (error instanceof MatrixError) failed.set(hash, true)
        throw error
      })
      .finally(() => running.delete(hash))
    running.set(hash, work)
    return work
  }

  return {
    async preview(userId, text, ts) {
      if (!options.enabled) throw new MatrixError('M_UNRECOGNIZED', 'This server makes no previews')
      const url = parse(text)
      const hash = createHash('sha256').update(url.href).digest('hex')
      const now = clock.now()
      const at = Math.min(ts ?? now, now)
      const [then, latest] = await store.read('previews.known', function* () {
        return [yield* urlPreviewAt(hash, at), yield* urlPreviewAt(hash, now)] as const
      })
      if (then !== undefined && at < then.expires_ts) return JSON.parse(then.preview) as JsonObject
      if (latest !== undefined && now < latest.expires_ts) return JSON.parse(latest.preview) as JsonObject
      if (failed.get(hash) === true) throw unavailable()
      return once(userId, url, hash)
    },

    async prune() {
      const rows = await store.write('previews.prune', function* () {
        const old = yield* oldUrlPreviews(clock.now() - KEPT_MS, 500)
        yield* deleteUrlPreviews(old)
        yield* deleteMedia(old.flatMap((row) => (row.media_id === null ? [] : [[media.serverName, row.media_id] as const]))) // prettier-ignore
        return old
      })
      return rows.length
    },
  }
}
