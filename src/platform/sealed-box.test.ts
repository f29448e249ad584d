import { describe, expect, it } from '@jest/globals'
import { systemRandom } from './random.js'
import { boxKeysOf, newBoxKeys, seal, unseal } from './sealed-box.js'

const words = Buffer.from('the keys of a room')
const keys = newBoxKeys(systemRandom)

describe('a sealed box', () => {
  it('is opened by the key that it was sealed for, stored or not', () => {
    const sealed = seal(words, keys.publicKey, systemRandom)
    expect(Buffer.from(unseal(sealed, keys)!)).toEqual(words)
    expect(Buffer.from(unseal(sealed, boxKeysOf(keys.secretKey))!)).toEqual(words)
    expect(Buffer.from(sealed).includes(words)).toBe(false)
    expect(Buffer.from(unseal(seal(new Uint8Array(), keys.publicKey, systemRandom), keys)!)).toHaveLength(0)
  })

  it('is opened by no other key, and never twice the same', () => {
    const sealed = seal(words, keys.publicKey, systemRandom)
    expect(unseal(sealed, newBoxKeys(systemRandom))).toBeUndefined()
    expect(seal(words, keys.publicKey, systemRandom)).not.toEqual(sealed)
  })

  it('is not opened when a byte of it was changed, or some are missing', () => {
    const sealed = seal(words, keys.publicKey, systemRandom)
    for (const at of [0, 31, 32, 40, sealed.length - 1]) {
      const changed = Buffer.from(sealed)
      changed[at]! ^= 1
      expect(unseal(changed, keys)).toBeUndefined()
    }
    for (const length of [0, 31, 47, sealed.length - 1])
      expect(unseal(sealed.subarray(0, length), keys)).toBeUndefined()
  })

  it('wants a whole key', () => {
    expect(() => seal(words, new Uint8Array(31), systemRandom)).toThrow(RangeError)
  })
})
