import { addSignature, signaturesOf, signingInput, type Signer } from '../event/sign.js'
import { parseUserId } from '../ids/user-id.js'
import { canonicalJson, NotCanonical } from '../json/canonical.js'
import { isObject, ownValue, type Json, type JsonObject } from '../json/value.js'

/** The state by which a room learns that two accounts are one person. Its state key is the old user id, which is also its sender. */
export const ACCOUNT_MOVE = 'org.chancery.account_move'

const TYPE = 'org.chancery.account_move.v1'
const NONCE = /^[A-Za-z0-9]{32,64}$/
/** A certificate is for a move that is under way: no member holds one in store. Milliseconds. */
export const MAX_MOVE_MS = 31 * 24 * 3_600_000
/** Junk signatures are cheap to add. */
const MAX_SIGNATURES = 8

/** That a person leaves an account of one member node for one of another. Times in milliseconds since 1970. */
export interface AccountMove {
  readonly oldUser: string
  readonly newUser: string
  /** The servers of the two. */
  readonly source: string
  readonly target: string
  readonly nonce: string
  readonly issuedAt: number
  readonly notAfter: number
}

/** A key with which a server signs or signed. */
export interface CertificateKey {
  readonly base64: string
  /** When signatures by it count; undefined: without a bound. */
  readonly validFrom: number | undefined
  readonly validUntil: number | undefined
}

export interface CertificateChecks {
  /** The keys of a server by which everybody in the circle judges alike, by key id; undefined where it has none such. */
  keysOf(server: string): ReadonlyMap<string, CertificateKey> | undefined
  verify(publicKey: string, bytes: Uint8Array, signature: string): boolean
}

/** The unsigned certificate of a move. */
export const certificateOf = (move: AccountMove): JsonObject => ({
  type: TYPE,
  old_user: move.oldUser,
  new_user: move.newUser,
  source: move.source,
  target: move.target,
  nonce: move.nonce,
  issued_at: move.issuedAt,
  not_after: move.notAfter,
})

/** The certificate with one signature more. */
export const signCertificate = (certificate: JsonObject, signer: Signer): JsonObject =>
  addSignature(certificate, signer.serverName, signer.keyId, signer.sign(signingInput(certificate)))

/** What a certificate says, whoever signed it; undefined for what is none. It says nothing else: no member of it is left unread. */
export function readCertificate(value: Json | undefined): AccountMove | undefined {
  if (!isObject(value)) return undefined
  const { signatures: _signatures, ...said } = value
  const text = (name: string): string => {
    const found = ownValue(said, name)
    return typeof found === 'string' ? found : ''
  }
  const time = (name: string): number => {
    const found = ownValue(said, name)
    return typeof found === 'number' && Number.isSafeInteger(found) ? found : NaN
  }
  const move: AccountMove = {
    oldUser: text('old_user'),
    newUser: text('new_user'),
    source: text('source'),
    target: text('target'),
    nonce: text('nonce'),
    issuedAt: time('issued_at'),
    notAfter: time('not_after'),
  }
  const life = move.notAfter - move.issuedAt
  const isWhole =
    NONCE.test(move.nonce) &&
    life > 0 &&
    life <= MAX_MOVE_MS &&
    move.source !== move.target &&
    parseUserId(move.oldUser)?.domain === move.source &&
    parseUserId(move.newUser)?.domain === move.target &&
    isSame(said, certificateOf(move))
  return isWhole ? move : undefined
}

function isSame(a: JsonObject, b: JsonObject): boolean {
  try {
    return canonicalJson(a) === canonicalJson(b)
  } catch (error) {
    if (error instanceof NotCanonical) return false
    throw error
  }
}

/** Whether a server has signed the certificate of a move with a key that it had when the move was ordered. */
export function isSignedBy(
  certificate: JsonObject,
  move: AccountMove,
  server: string,
  { keysOf, verify }: CertificateChecks,
): boolean {
  const keys = keysOf(server)
  if (keys === undefined) return false
  const bytes = signingInput(certificate)
  return [...signaturesOf(certificate, server)]
    .filter(([keyId]) => keys.has(keyId))
    .slice(0, MAX_SIGNATURES)
    .some(([keyId, signature]) => {
      const { base64, validFrom = -Infinity, validUntil = Infinity } = keys.get(keyId)!
      return move.issuedAt >= validFrom && move.issuedAt <= validUntil && verify(base64, bytes, signature)
    })
}

/** The move that a certificate proves: both servers have signed it. Undefined for everything else. That its time is over is for the caller to see. */
export function provenMove(value: Json | undefined, checks: CertificateChecks): AccountMove | undefined {
  const move = readCertificate(value)
  if (move === undefined) return undefined
  const certificate = value as JsonObject
  return isSignedBy(certificate, move, move.source, checks) &&
    isSignedBy(certificate, move, move.target, checks)
    ? move
    : undefined
}
