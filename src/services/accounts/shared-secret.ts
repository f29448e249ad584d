import { createHmac, timingSafeEqual } from 'node:crypto'
import { forbidden, invalidParam, MatrixError } from '../../core/errors.js'
import type { Clock } from '../../platform/clock.js'
import { createLru } from '../../platform/lru.js'
import type { Random } from '../../platform/random.js'
import { deviceWish } from '../devices/devices.js'
import type { Registration } from './registration.js'
import type { SessionAnswer, Sessions } from './sessions.js'

/** Registration by whoever knows a secret of the configuration, as operators' scripts for Synapse do it. */
export interface SharedSecretRegistration {
  /** Throws M_UNKNOWN when no secret is configured. */
  nonce(): string
  /** Throws M_FORBIDDEN for a wrong MAC or a nonce that is unknown, old or used. */
  register(request: {
    readonly nonce: string
    readonly username: string
    readonly password: string
    readonly admin: boolean
    /** Part of the MAC where given. */
    readonly userType: string | undefined
    readonly displayName: string | undefined
    /** HMAC-SHA1 in hexadecimal. */
    readonly mac: string
  }): Promise<SessionAnswer>
}

const NONCE_LIFETIME_MS = 60_000
const MAX_NONCES = 1_000

export function createSharedSecretRegistration(deps: {
  readonly clock: Clock
  readonly random: Random
  readonly registration: Registration
  readonly sessions: Sessions
  readonly secret: string | undefined
}): SharedSecretRegistration {
  const { clock, random, registration, sessions, secret } = deps
  const nonces = createLru<string, true>({ max: MAX_NONCES, ttlMs: NONCE_LIFETIME_MS, clock })

  function configured(): string {
    if (secret === undefined)
      throw new MatrixError('M_UNKNOWN', 'Registration by shared secret is not configured', {}, 400)
    return secret
  }

  return {
    nonce() {
      configured()
      const nonce = random.string(32)
      nonces.set(nonce, true)
      return nonce
    },
    async register({ nonce, username, password, admin, userType, displayName, mac }) {
      const key = configured()
      const live = nonces.get(nonce) === true
      nonces.delete(nonce)
      if (!live) throw forbidden('The nonce is unknown, old or used')
      // NUL separates the parts of the MAC, so that none of them may contain it.
      const parts = [nonce, username, password, admin ? 'admin' : 'notadmin']
      if (userType !== undefined) parts.push(userType)
      if (parts.some((part) => part.includes('\0'))) throw invalidParam('NUL is not allowed')
      const wanted = createHmac('sha1', key).update(parts.join('\0')).digest()
      const given = Buffer.from(mac.slice(0, 64), 'hex')
      if (given.length !== wanted.length || !timingSafeEqual(given, wanted))
        throw forbidden('The MAC is wrong')
      const userId = await registration.createUser({
        localpart: username,
        password,
        admin,
        ...(displayName === undefined ? {} : { displayName }),
      })
      return await sessions.open(userId, deviceWish(random, undefined, undefined), false, function* () {})
    },
  }
}
