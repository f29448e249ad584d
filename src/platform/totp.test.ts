import { describe, expect, it } from '@jest/globals'
import { base32 } from './base32.js'
import { totpCode, totpStep, totpStepOf, totpUri } from './totp.js'

const SECRET = Buffer.from('12345678901234567890')

describe('a one-time code', () => {
  // RFC 6238, appendix B, for SHA-1: its eight digits end with the six that apps show.
  it.each([
    [59, '94287082'],
    [1_111_111_109, '07081804'],
    [1_111_111_111, '14050471'],
    [1_234_567_890, '89005924'],
    [2_000_000_000, '69279037'],
    [20_000_000_000, '65353130'],
  ])('is that of the RFC at %d seconds', (seconds, digits) => {
    expect(totpCode(SECRET, totpStep(seconds * 1000))).toBe(digits.slice(-6))
  })

  // RFC 4226, appendix D.
  it('is that of the RFC for each count', () => {
    const codes = Array.from({ length: 10 }, (_, count) => totpCode(SECRET, count))
    expect(codes).toEqual(['755224', '287082', '359152', '969429', '338314', '254676', '287922', '162583', '399871', '520489']) // prettier-ignore
  })

  it('is taken a step early and a step late, and no further', () => {
    const now = 1_700_000_010_000
    const step = totpStep(now)
    const found = [-2, -1, 0, 1, 2].map((by) => totpStepOf(SECRET, totpCode(SECRET, step + by), now))
    expect(found).toEqual([undefined, step - 1, step, step + 1, undefined])
  })

  it.each(['', '12345', '1234567', 'ééé', 'abcdef', '28708２'])('is not %j', (code) => {
    expect(totpStepOf(SECRET, code, 30_000)).toBeUndefined()
  })

  it('takes no code with something behind it', () => {
    expect(totpStepOf(SECRET, `${totpCode(SECRET, 1)}0`, 30_000)).toBeUndefined()
    expect(totpStepOf(SECRET, totpCode(SECRET, 1), 30_000)).toBe(1)
  })
})

describe('what an app reads', () => {
  it('has the secret in base32', () => {
    // RFC 4648, section 10, without padding.
    const encoded = ['', 'f', 'fo', 'foo', 'foob', 'fooba', 'foobar'].map((text) => base32(Buffer.from(text)))
    expect(encoded).toEqual(['', 'MY', 'MZXQ', 'MZXW6', 'MZXW6YQ', 'MZXW6YTB', 'MZXW6YTBOI'])
    expect(base32(new Uint8Array(20).fill(255))).toBe('7'.repeat(32))
  })

  it('names the server and the account, whatever they are called', () => {
    expect(totpUri({ issuer: 'a b', account: '@anne:x.example', secret: 'MY' })).toBe(
      'otpauth://totp/a%20b:%40anne%3Ax.example?secret=MY&issuer=a%20b&algorithm=SHA1&digits=6&period=30',
    )
  })
})
