import { all, manyChanges, run, runChanges, type Tx } from '../tx.js'

export type KeyUsage = 'master' | 'self_signing' | 'user_signing'

export interface CrossSigningKeyRow {
  readonly user_id: string
  readonly usage: KeyUsage
  /** Unpadded base64, as the key's id has it. */
  readonly public_key: string
  /** Canonical JSON. */
  readonly json: string
}

export interface KeySignatureRow {
  readonly target_user: string
  /** A device id, or the public key of a master key. */
  readonly target_key: string
  readonly signer_user: string
  /** `ed25519:…`. */
  readonly signer_key: string
  readonly signature: string
}

export function* crossSigningKeysOf(userIds: readonly string[]): Tx<readonly CrossSigningKeyRow[]> {
  return yield* all<CrossSigningKeyRow>(
    'SELECT user_id, usage, public_key, json FROM cross_signing_keys WHERE user_id IN (??)',
    userIds,
  )
}

/** Post: gives how many are new or other than before. */
/** Whether a user has a cross-signing key of this id (its public key). */
export function* isCrossSigningKey(userId: string, publicKey: string): Tx<boolean> {
  const keys = yield* crossSigningKeysOf([userId])
  return keys.some((row) => row.public_key === publicKey)
}

export function* upsertCrossSigningKeys(rows: readonly CrossSigningKeyRow[]): Tx<number> {
  return yield* manyChanges(
    `INSERT INTO cross_signing_keys (user_id, usage, public_key, json) VALUES (?, ?, ?, ?)
     ON CONFLICT (user_id, usage) DO UPDATE SET public_key = excluded.public_key, json = excluded.json
     WHERE cross_signing_keys.json <> excluded.json`,
    rows.map((row) => [row.user_id, row.usage, row.public_key, row.json]),
  )
}

export function* deleteCrossSigningKeys(userId: string, usages: readonly KeyUsage[]): Tx<number> {
  return yield* runChanges(
    'DELETE FROM cross_signing_keys WHERE user_id = ? AND usage IN (??)',
    userId,
    usages,
  )
}

/** Signatures for keys of these users that `viewer` may see: the owners' own and the viewer's. */
export function* signaturesFor(userIds: readonly string[], viewer: string): Tx<readonly KeySignatureRow[]> {
  return yield* all<KeySignatureRow>(
    `SELECT target_user, target_key, signer_user, signer_key, signature FROM key_signatures
     WHERE target_user IN (??) AND (signer_user = target_user OR signer_user = ?)`,
    userIds,
    viewer,
  )
}

/** Post: gives how many are new or other than before. */
export function* upsertSignatures(rows: readonly KeySignatureRow[]): Tx<number> {
  return yield* manyChanges(
    `INSERT INTO key_signatures (target_user, target_key, signer_user, signer_key, signature) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (target_user, target_key, signer_user, signer_key) DO UPDATE SET signature = excluded.signature
     WHERE key_signatures.signature <> excluded.signature`,
    rows.map((row) => [row.target_user, row.target_key, row.signer_user, row.signer_key, row.signature]),
  )
}

/** For keys that are gone or became others. */
export function* deleteSignaturesOn(targetUser: string, targetKeys: readonly string[]): Tx<void> {
  yield* run(
    'DELETE FROM key_signatures WHERE target_user = ? AND target_key IN (??)',
    targetUser,
    targetKeys,
  )
}

/** For a signing key that was replaced. */
export function* deleteSignaturesBy(signerUser: string, signerKey: string): Tx<void> {
  yield* run('DELETE FROM key_signatures WHERE signer_user = ? AND signer_key = ?', signerUser, signerKey)
}
