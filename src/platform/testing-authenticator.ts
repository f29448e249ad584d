import { totpCode, totpStep } from './totp.js'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** An authenticator app, as a person has one: it reads a secret and shows codes. */
export interface Authenticator {
  /** The code of a time in milliseconds; `by`: of so many steps later. */
  code(now: number, by?: number): string
  /** Six digits that are wrong at that time. */
  wrong(now: number): string
}

/** `secret`: base32, as it is shown once. */
export function authenticator(secret: unknown): Authenticator {
  const bits = Array.from(typeof secret === 'string' ? secret : '')
    .map((character) => ALPHABET.indexOf(character).toString(2).padStart(5, '0'))
    .join('')
  const bytes = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)))
  const code = (now: number, by = 0): string => totpCode(bytes, totpStep(now) + by)
  return {
    code,
    wrong(now) {
      // A test that is slow must not find one of them right a step later.
      const right = [-1, 0, 1, 2, 3].map((by) => code(now, by))
      return ['000000', '111111', '222222', '333333', '444444', '555555'].find(
        (candidate) => !right.includes(candidate),
      )!
    },
  }
}
