import { createHmac, timingSafeEqual } from 'node:crypto'

/** Milliseconds for which one code holds. */
const STEP_MS = 30_000
const DIGITS = 6
/** Steps before and after the present one that are taken: clocks of telephones differ, and people type slowly. */
const WINDOW = 1

/**
 * One-time codes of an authenticator app: TOTP with SHA-1, 30 seconds and six digits, which all apps know.
 * RFC 6238 and RFC 4226.
 */
export function totpCode(secret: Uint8Array, step: number): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(step))
  const digest = createHmac('sha1', secret).update(counter).digest()
  const offset = digest.at(-1)! & 15
  const number = digest.readUInt32BE(offset) & 0x7fff_ffff
  return String(number % 10 ** DIGITS).padStart(DIGITS, '0')
}

/** The step that a time (milliseconds since 1970) lies in. */
export const totpStep = (now: number): number => Math.floor(now / STEP_MS)

/** The step of which a code is, the present one or a neighbour; undefined for a wrong code. Takes the same time for each. */
export function totpStepOf(secret: Uint8Array, code: string, now: number): number | undefined {
  const present = totpStep(now)
  const given = Buffer.from(code.padEnd(DIGITS).slice(0, DIGITS))
  let found: number | undefined
  for (let step = Math.max(0, present - WINDOW); step <= present + WINDOW; step++) {
    const right = timingSafeEqual(
      Buffer.from(totpCode(secret, step)),
      given.length === DIGITS ? given : NO_CODE,
    )
    if (right) found = step
  }
  return code.length === DIGITS ? found : undefined
}

const NO_CODE = Buffer.from('------')

/** What an authenticator app reads, mostly from a QR code. `secret`: base32. */
export function totpUri({
  issuer,
  account,
  secret,
}: {
  issuer: string
  account: string
  secret: string
}): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(account)}`
  return `otpauth://totp/${label}?secret=${secret}&issuer=${encodeURIComponent(issuer)}&algorithm=SHA1&digits=${DIGITS}&period=${STEP_MS / 1000}`
}
