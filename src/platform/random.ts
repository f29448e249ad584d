import { randomBytes } from 'node:crypto'

/** Unguessable randomness, injected so that simulations can replay it. */
export interface Random {
  bytes(length: number): Uint8Array
  /** `length` characters of A–Z, a–z, 0–9; about 5.95 bits each. */
  string(length: number, alphabet?: string): string
}

const ALPHANUMERIC = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

export function randomFrom(bytes: (length: number) => Uint8Array): Random {
  return {
    bytes,
    string(length, alphabet = ALPHANUMERIC) {
      const limit = 256 - (256 % alphabet.length)
      let out = ''
      while (out.length < length) {
        for (const byte of bytes(length + 8)) {
          if (byte < limit && out.length < length) out += alphabet[byte % alphabet.length]
        }
      }
      return out
    },
  }
}

export const systemRandom: Random = randomFrom((length) => randomBytes(length))
