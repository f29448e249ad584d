import { hash } from 'node:crypto'
import type { Random } from '../../platform/random.js'

/** What a token opens; its prefix tells a leaked token's kind to people and secret scanners. */
export type TokenKind = 'access' | 'refresh' | 'login' | 'openid'

const PREFIX = { access: 'cha', refresh: 'chr', login: 'chl', openid: 'cho' } as const

/** 238 bits: nobody guesses one, so that tokens need no salt and no slow hash. */
const LENGTH = 40

export function newToken(random: Random, kind: TokenKind): string {
  return `${PREFIX[kind]}_${random.string(LENGTH)}`
}

/** What the database keeps of a token: 43 characters. */
export function tokenHash(token: string): string {
  return hash('sha256', token, 'base64url')
}
