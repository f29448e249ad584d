/**
 * A process of its own that decodes pictures of strangers: it may crash, be killed, and use only so much memory.
 * It is sent one `ThumbnailWork` at a time and answers each with a `ThumbnailAnswer`.
 */
import sharp, { type Metadata } from 'sharp'
import { MEMORY_EXIT_CODE, type ThumbnailAnswer, type ThumbnailWork } from './thumbnail-protocol.js'

/** Frames of a moving picture that are still looked at, and that are still kept moving. */
const MAX_FRAMES = 1000
const MAX_MOVING_FRAMES = 250
const WATCH_MS = 20

// Everything that libvips can open is an entrance; these five are what clients send as pictures.
sharp.block({ operation: ['VipsForeignLoad'] })
sharp.unblock({
  operation: [
    'VipsForeignLoadJpegFile',
    'VipsForeignLoadPngFile',
    'VipsForeignLoadWebpFile',
    'VipsForeignLoadNsgifFile',
    'VipsForeignLoadHeifFile',
  ],
})
sharp.cache(false)
sharp.concurrency(1)

interface Sides {
  readonly width: number
  readonly height: number
}

/**
 * The sides of the result. `crop` keeps the shape of the box and `scale` that of the picture; neither is ever larger
 * than the picture.
 */
function resultSides(picture: Sides, box: Sides, method: 'crop' | 'scale'): Sides {
  const across = picture.width / box.width
  const down = picture.height / box.height
  const shape = method === 'crop' ? box : picture
  const factor = method === 'crop' ? Math.min(1, across, down) : Math.min(1, 1 / across, 1 / down)
  return {
    width: Math.max(1, Math.round(shape.width * factor)),
    height: Math.max(1, Math.round(shape.height * factor)),
  }
}

const tooLarge = (width: number, height: number, frames: number, maxPixels: number): boolean =>
  width * height > maxPixels || frames > MAX_FRAMES

async function render(work: ThumbnailWork): Promise<ThumbnailAnswer> {
  const input = { limitInputPixels: work.maxPixels, failOn: 'error', sequentialRead: true } as const
  const found: Metadata = await sharp(work.source, input).metadata()
  const frames = found.pages ?? 1
  const { width, height } = found.autoOrient
  if (tooLarge(width, height, frames, work.maxPixels)) return { ok: false, fault: 'too-large' }

  const moving =
    work.animated &&
    frames > 1 &&
    frames <= MAX_MOVING_FRAMES &&
    width * height * frames <= work.maxPixels &&
    (found.format === 'gif' || found.format === 'webp')
  const sides = resultSides({ width, height }, work, work.method)
  // Metadata (place, time, camera) are dropped by not being asked for; the orientation is applied first.
  const picture = sharp(work.source, { ...input, animated: moving })
    .autoOrient()
    .resize({ ...sides, fit: work.method === 'crop' ? 'cover' : 'fill' })
    .timeout({ seconds: Math.max(1, Math.ceil(work.timeoutMs / 1000)) })
  if (moving) {
    await picture.webp({ effort: 2 }).toFile(work.target)
    return { ok: true, contentType: 'image/webp' }
  }
  if (found.hasAlpha || found.format === 'png' || found.format === 'gif') {
    await picture.png().toFile(work.target)
    return { ok: true, contentType: 'image/png' }
  }
  await picture.jpeg({ quality: 80 }).toFile(work.target)
  return { ok: true, contentType: 'image/jpeg' }
}

process.on('message', (work: ThumbnailWork) => {
  // Decoding runs on other threads, so this one can watch what they take.
  const watch = setInterval(() => {
    if (process.memoryUsage.rss() > work.memoryBytes) process.exit(MEMORY_EXIT_CODE)
  }, WATCH_MS)
  render(work)
    .catch((error: unknown): ThumbnailAnswer => {
      const pixels = error instanceof Error && error.message.includes('pixel limit')
      return { ok: false, fault: pixels ? 'too-large' : 'undecodable' }
    })
    .then((answer) => {
      clearInterval(watch)
      process.send?.(answer)
    })
    .catch(() => process.exit(1))
})
// The server is gone: whatever is being made, nobody waits for it.
process.on('disconnect', () => process.exit(0))
