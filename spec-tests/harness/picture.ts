import { randomInt } from 'node:crypto'
import sharp from 'sharp'

/** A picture of one colour that no other has. */
export interface Picture {
  /** A PNG of 64 by 48. */
  readonly bytes: Buffer
  /** Whether an image, of whatever size and format, is of this colour. */
  isShownBy(image: Uint8Array): Promise<boolean>
}

/** What a lossy format may change in one channel. */
const TOLERANCE = 8

export async function newPicture(): Promise<Picture> {
  const background = { r: randomInt(256), g: randomInt(256), b: randomInt(256) }
  const bytes = await sharp({ create: { width: 64, height: 48, channels: 3, background } })
    .png()
    .toBuffer()
  return {
    bytes,
    async isShownBy(image) {
      const { channels } = await sharp(image).stats()
      return [background.r, background.g, background.b].every(
        (value, i) => Math.abs((channels[i]?.mean ?? -TOLERANCE) - value) < TOLERANCE,
      )
    },
  }
}
