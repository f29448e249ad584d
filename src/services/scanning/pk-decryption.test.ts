import { describe, expect, it } from '@jest/globals'
import { encodeBase64 } from '../../platform/unpadded-base64.js'
import { createPkDecryption } from './pk-decryption.js'
import { pkEncrypt } from './testing.js'

/** Alice's key of RFC 7748; the message is the one with which libolm tests itself. */
const SECRET = Buffer.from('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a', 'hex')
const OF_LIBOLM = {
  ciphertext: 'ntk49j/KozVFtSqJXhCejg',
  mac: 'zpzU6BkZcNI',
  ephemeral: '3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08',
}

describe('the receiving half of PkEncryption', () => {
  const decryption = createPkDecryption(SECRET)
  const read = (message: Parameters<typeof decryption.decrypt>[0]): string | undefined => {
    const plain = decryption.decrypt(message)
    return plain === undefined ? undefined : Buffer.from(plain).toString()
  }

  it('reads what libolm writes, by the key that libolm computes', () => {
    expect(decryption.publicKey).toBe('hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo')
    expect(read(OF_LIBOLM)).toBe('This is a test')
  })

  it('reads what was encrypted to its public key', () => {
    const text = 'é'.repeat(5_000)
    expect(read(pkEncrypt(decryption.publicKey, text))).toBe(text)
  })

  it('reads nothing that is for another key, or broken', () => {
    expect(createPkDecryption(Buffer.alloc(32, 7)).decrypt(OF_LIBOLM)).toBeUndefined()
    const zero = encodeBase64(Buffer.alloc(32))
    for (const change of [
      { mac: 'zpzU6BkZcNA' },
      { mac: '' },
      { mac: 'zpzU6BkZcNIAAA' },
      { ephemeral: zero },
      { ephemeral: 'AAAA' },
      { ephemeral: '!' },
      { ciphertext: '' },
      { ciphertext: 'ntk49j' },
      { ciphertext: '{}' },
      { ciphertext: 'ntk49j/KozVFtSqJXhCejw' },
    ])
      // prettier-ignore
      expect(read({ ...OF_LIBOLM, ...change })).not.toBe('This is a test')
    expect(read({ ...OF_LIBOLM, mac: 'zpzU6BkZcNA' })).toBeUndefined()
    expect(read({ ...OF_LIBOLM, ephemeral: zero })).toBeUndefined()
  })
})
