import { describe, expect, it } from '@jest/globals'
import { systemRandom } from './random.js'
import { createSeal } from './sealed.js'

const SECRET = 'a secret of more than sixteen characters'
const seal = createSeal(SECRET, 'test', systemRandom)
const plain = Buffer.from('what nobody should read')

describe('a sealed secret', () => {
  it('opens for its owner, with the same secret, and is another text each time', () => {
    const sealed = seal.seal(plain, 'anne')
    expect(sealed).not.toContain(plain.toString('base64url'))
    expect(seal.open(sealed, 'anne')).toEqual(plain)
    expect(createSeal(SECRET, 'test', systemRandom).open(sealed, 'anne')).toEqual(plain)
    expect(seal.seal(plain, 'anne')).not.toBe(sealed)
  })

  it('opens for no other owner, purpose or secret, nor altered', () => {
    const sealed = seal.seal(plain, 'anne')
    expect(seal.open(sealed, 'bob')).toBeUndefined()
    expect(createSeal(SECRET, 'other', systemRandom).open(sealed, 'anne')).toBeUndefined()
    expect(createSeal(`${SECRET}.`, 'test', systemRandom).open(sealed, 'anne')).toBeUndefined()
    const [version, iv, text] = sealed.split('.') as [string, string, string]
    const altered = text.startsWith('A') ? `B${text.slice(1)}` : `A${text.slice(1)}`
    for (const bad of [
      `${version}.${iv}.${altered}`,
      `v2.${iv}.${text}`,
      `${version}.${iv}.`,
      `${version}..${text}`,
      '',
    ])
      expect(seal.open(bad, 'anne')).toBeUndefined()
  })
})
