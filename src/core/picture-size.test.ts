import { describe, expect, it } from '@jest/globals'
import { readPictureSize } from './picture-size.js'

const of = (...bytes: readonly number[]): Uint8Array => Uint8Array.from(bytes)
const PNG = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 1, 0x17, 0, 0, 0, 0x81] // prettier-ignore
const GIF = [0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 0x17, 1, 0x81, 0]
const COMMENT = [0xff, 0xfe, 0, 4, 7, 7]
const FRAME = [0xff, 0xc2, 0, 11, 8, 0, 0x81, 1, 0x17, 1, 0, 0, 0]

describe('the size of a picture', () => {
  it.each([
    ['a PNG', of(...PNG)],
    ['a GIF', of(...GIF)],
    ['a JPEG', of(0xff, 0xd8, ...COMMENT, ...FRAME)],
    ['a JPEG with filling', of(0xff, 0xd8, 0xff, ...COMMENT, ...FRAME)],
  ])('is read from the header of %s', (_, bytes) => {
    expect(readPictureSize(bytes)).toEqual({ width: 279, height: 129 })
    // Also where the bytes are a part of a larger buffer.
    const part = Buffer.concat([of(1, 2, 3), bytes]).subarray(3)
    expect(readPictureSize(part)).toEqual({ width: 279, height: 129 })
  })

  it('is not known of what is cut off, empty, or no picture', () => {
    for (const whole of [of(...PNG), of(...GIF)])
      for (let end = 0; end < whole.length; end++)
        expect(readPictureSize(whole.slice(0, end))).toBeUndefined()
    expect(readPictureSize(of(0xff, 0xd8, ...COMMENT))).toBeUndefined()
    expect(readPictureSize(of(0xff, 0xd8, ...FRAME.slice(0, 8)))).toBeUndefined()
    expect(readPictureSize(of(0xff, 0xd8, 0, ...FRAME))).toBeUndefined()
    expect(readPictureSize(of(...PNG.slice(0, 20), 0, 0, 0, 0))).toBeUndefined()
    expect(readPictureSize(Buffer.from('<svg width="3" height="4"/>'))).toBeUndefined()
  })

  it('ends with a JPEG whose segments have no length', () => {
    expect(
      readPictureSize(of(0xff, 0xd8, ...Array.from({ length: 60 }, () => [0xff, 0xe0, 0, 0]).flat())),
    ).toBeUndefined()
  })
})
