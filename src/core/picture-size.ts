/** Of a picture as it is stored, in pixels. */
export interface PictureSize {
  readonly width: number
  readonly height: number
}

const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]
const GIF = [0x47, 0x49, 0x46, 0x38]
const JPEG = [0xff, 0xd8]

const startsWith = (bytes: Uint8Array, prefix: readonly number[]): boolean =>
  prefix.every((byte, i) => bytes[i] === byte)

/**
 * What the header of a PNG, GIF or JPEG says of its size, without decoding it. Undefined for other formats, for what is cut off, and for a
 * size of nothing. Linear in the number of a JPEG's segments.
 */
export function readPictureSize(bytes: Uint8Array): PictureSize | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let size: PictureSize | undefined
  if (startsWith(bytes, PNG) && bytes.length >= 24)
    size = { width: view.getUint32(16), height: view.getUint32(20) }
  else if (startsWith(bytes, GIF) && bytes.length >= 10)
    size = { width: view.getUint16(6, true), height: view.getUint16(8, true) }
  else if (startsWith(bytes, JPEG)) size = jpegSize(view)
  return size === undefined || size.width === 0 || size.height === 0 ? undefined : size
}

/** Frame headers are the markers C0 to CF, less three that mean something else. */
const isFrame = (marker: number): boolean =>
  marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc

function jpegSize(view: DataView): PictureSize | undefined {
  for (let at = 2; at + 9 <= view.byteLength;) {
    if (view.getUint8(at) !== 0xff) return undefined
    const marker = view.getUint8(at + 1)
    if (isFrame(marker)) return { width: view.getUint16(at + 7), height: view.getUint16(at + 5) }
    // A marker may be preceded by any number of these.
    if (marker === 0xff) at += 1
    else at += 2 + view.getUint16(at + 2)
  }
  return undefined
}
