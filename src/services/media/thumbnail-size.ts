import { invalidParam } from '../../core/errors.js'

export type ThumbnailMethod = 'crop' | 'scale'

export interface ThumbnailSize {
  readonly width: number
  readonly height: number
  readonly method: ThumbnailMethod
}

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#thumbnails */
export const SPECIFIED_SIZES: readonly ThumbnailSize[] = [
  { width: 32, height: 32, method: 'crop' },
  { width: 96, height: 96, method: 'crop' },
  { width: 320, height: 240, method: 'scale' },
  { width: 640, height: 480, method: 'scale' },
  { width: 800, height: 600, method: 'scale' },
]

/** No picture that may be decoded is wider or higher; a larger request is a mistake or an attack. */
export const MAX_THUMBNAIL_SIDE = 8192

/** Sides to which free sizes are rounded up: 10,000 requests make at most 16 × 16 boxes a method. */
const LADDER = [32, 48, 64, 96, 128, 192, 256, 320, 480, 640, 800, 1024, 1600, 2048, 4096, MAX_THUMBNAIL_SIDE]

/** The whole picture, at most: nothing is ever enlarged. */
const WHOLE: ThumbnailSize = { width: MAX_THUMBNAIL_SIDE, height: MAX_THUMBNAIL_SIDE, method: 'scale' }

const roundUp = (side: number): number => LADDER.find((step) => step >= side) ?? MAX_THUMBNAIL_SIDE

/**
 * The box in which a request is answered. Every request falls onto one of a bounded number of boxes, which is never
 * smaller than what was asked for: a prepared size of the same method where one is large enough; else, with
 * `dynamic`, the asked size rounded up; else a prepared size of the other method; else the whole picture.
 * Throws M_INVALID_PARAM for sides that are not integers from 1 to 8192.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#thumbnails
 */
export function thumbnailBox(
  asked: ThumbnailSize,
  prepared: readonly ThumbnailSize[],
  dynamic: boolean,
): ThumbnailSize {
  for (const side of [asked.width, asked.height]) {
    if (!Number.isInteger(side) || side < 1 || side > MAX_THUMBNAIL_SIDE) {
      throw invalidParam(`Thumbnails are 1 to ${MAX_THUMBNAIL_SIDE} pixels wide and high`)
    }
  }
  const covering = prepared
    .filter((size) => size.width >= asked.width && size.height >= asked.height)
    .toSorted((a, b) => a.width * a.height - b.width * b.height)
  const same = covering.find(
    (size) =>
      size.method === asked.method &&
      // Cropping to another shape would cut away what the client wants to show.
      (!dynamic || asked.method === 'scale' || size.width * asked.height === size.height * asked.width),
  )
  if (same !== undefined) return same
  if (dynamic) {
    return { width: roundUp(asked.width), height: roundUp(asked.height), method: asked.method }
  }
  // A scaled picture still has everything in it; a cropped one would not do for `scale`.
  return covering.find((size) => size.method === 'scale') ?? WHOLE
}
