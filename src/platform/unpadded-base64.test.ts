import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { decodeBase64, encodeBase64 } from './unpadded-base64.js'

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('unpadded base64', () => {
  it.each([
    ['', ''],
    ['f', 'Zg'],
    ['fo', 'Zm8'],
    ['foo', 'Zm9v'],
    ['foob', 'Zm9vYg'],
    ['fooba', 'Zm9vYmE'],
    ['foobar', 'Zm9vYmFy'],
  ])('writes %j as the specification does', (plain, text) => {
    expect(encodeBase64(ascii(plain))).toBe(text)
    expect(decodeBase64(text)).toEqual(ascii(plain))
  })

  it('knows the standard alphabet alone', () => {
    const bytes = Uint8Array.of(0xfb, 0xef, 0xff)
    expect(encodeBase64(bytes)).toBe('++//')
    expect(decodeBase64('--__')).toBeUndefined()
  })

  it('accepts padding of the right length only', () => {
    expect(decodeBase64('Zg==')).toEqual(ascii('f'))
    expect(decodeBase64('Zm8=')).toEqual(ascii('fo'))
    for (const bad of ['Zg=', 'Zg===', '=', '==', '====', 'Zm9v=', 'Zm9v====', 'Z=g=']) {
      expect(decodeBase64(bad)).toBeUndefined()
    }
  })

  it('refuses impossible lengths and foreign characters', () => {
    for (const bad of ['Z', 'Zm9vY', 'Zm 8', 'Zm8\n', 'Zm8é', 'Zm8\0', '****'])
      expect(decodeBase64(bad)).toBeUndefined()
  })

  it('gives back what it was given', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(decodeBase64(encodeBase64(bytes))).toEqual(new Uint8Array(bytes))
      }),
    )
  })
})
