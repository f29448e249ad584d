import { MatrixError } from '../../core/errors.js'
import type { Clock } from '../../platform/clock.js'
import { createLru } from '../../platform/lru.js'
import {
  insertThumbnail,
  thumbnailCount,
  thumbnailFor,
  type ThumbnailRow,
} from '../../storage/tables/media.js'
import type { Store } from '../../storage/tx.js'
import type { BlobStore } from './blob-store.js'
import { essence } from './content-type.js'
import { createSingleFlight } from './single-flight.js'
import type { ThumbnailFault, Thumbnailer } from './thumbnailer.js'
import { thumbnailBox, type ThumbnailSize } from './thumbnail-size.js'

export interface Thumbnails {
  /**
   * The thumbnail of a stored picture, made now when there is none yet.
   * NOTSPEC: a picture smaller than the box is given as a copy of the same size rather than as the original, which
   * may hold the place where it was taken.
   * Throws M_INVALID_PARAM for impossible sizes, M_UNKNOWN (400) for what cannot be decoded, M_TOO_LARGE (400) for
   * pictures of too many pixels, M_LIMIT_EXCEEDED when too many are being made.
   */
  of(
    picture: { readonly sha256: string; readonly contentType: string },
    asked: ThumbnailSize,
    animated: boolean,
  ): Promise<ThumbnailRow>
}

export interface ThumbnailsDeps {
  readonly store: Store
  readonly clock: Clock
  readonly blobs: BlobStore
  readonly thumbnailer: Thumbnailer
  readonly options: {
    readonly maxImagePixels: number
    readonly thumbnailSizes: readonly ThumbnailSize[]
    readonly dynamicThumbnails: boolean
  }
}

const PICTURES = new Set(['image/jpeg', 'image/png', 'image/apng', 'image/gif', 'image/webp', 'image/avif'])
const MOVING_PICTURES = new Set(['image/gif', 'image/webp'])
/** Free sizes of one picture; after that only the prepared ones are made. */
const MAX_PER_PICTURE = 64
/** How long a picture that could not be decoded is not tried again. */
const FAILURE_MS = 600_000

export function createThumbnails(deps: ThumbnailsDeps): Thumbnails {
  const { store, blobs, options } = deps
  const flights = createSingleFlight<ThumbnailRow>()
  const failures = createLru<string, ThumbnailFault>({ max: 2000, ttlMs: FAILURE_MS, clock: deps.clock })

  async function render(sha256: string, box: ThumbnailSize, animated: boolean): Promise<ThumbnailRow> {
    const target = await blobs.temporary()
    try {
      const outcome = await deps.thumbnailer.render({
        source: blobs.pathOf(sha256),
        target,
        ...box,
        animated,
        maxPixels: options.maxImagePixels,
      })
      if (!outcome.ok) {
        if (outcome.fault !== 'busy') failures.set(sha256, outcome.fault)
        throw refusal(outcome.fault)
      }
      const blob = await blobs.adopt(target)
      const row: ThumbnailRow = {
        source_sha256: sha256,
        ...box,
        animated: animated ? 1 : 0,
        sha256: blob.sha256,
        size: blob.size,
        content_type: outcome.contentType,
      }
      await blobs.land(blob, () => store.write('media.thumbnail', () => insertThumbnail(row)))
      return row
    } finally {
      await blobs.discard(target)
    }
  }

  return {
    async of(picture, asked, animated) {
      const prepared = options.thumbnailSizes
      const wish = thumbnailBox(asked, prepared, options.dynamicThumbnails)
      const type = essence(picture.contentType)
      if (!PICTURES.has(type)) throw refusal('undecodable')
      const moving = animated && MOVING_PICTURES.has(type)
      const { sha256 } = picture
      const known = await store.read('media.thumbnail', function* () {
        const row = yield* thumbnailFor(sha256, { ...wish, animated: moving })
        if (row !== undefined) return { row, box: wish }
        // Too many free sizes were asked of this picture: fall back to the prepared ones.
        const full = (yield* thumbnailCount(sha256)) >= MAX_PER_PICTURE
        const box = full ? thumbnailBox(asked, prepared, false) : wish
        return { row: full ? yield* thumbnailFor(sha256, { ...box, animated: moving }) : undefined, box }
      })
      if (known.row !== undefined) return known.row
      const failed = failures.get(sha256)
      if (failed !== undefined) throw refusal(failed)
      const { box } = known
      const key = `${sha256} ${box.width} ${box.height} ${box.method} ${moving}`
      return flights(key, () => render(sha256, box, moving))
    },
  }
}

/**
 * NOTSPEC: the specification has 413, and 502 for media of other servers, for pictures that are too large; its 400
 * covers "cannot thumbnail the content" as well, and does not depend on whose picture it is.
 */
function refusal(fault: ThumbnailFault): MatrixError {
  switch (fault) {
    case 'busy':
      return new MatrixError('M_LIMIT_EXCEEDED', 'Too many thumbnails are being made', {
        retry_after_ms: 5000,
      })
    case 'too-large':
      return new MatrixError('M_TOO_LARGE', 'The picture has too many pixels for a thumbnail', {}, 400)
    default:
      return new MatrixError('M_UNKNOWN', 'Cannot generate thumbnails for this content', {}, 400)
  }
}
