import { all, one, run, runChanges, type Tx } from '../tx.js'

/** An address of an account, which its user has proved to be theirs. Addresses are canonical. */
export interface ThreepidRow {
  readonly medium: string
  readonly address: string
  readonly user_id: string
  readonly validated_ts: number
  readonly added_ts: number
}

/** Post: false, and nothing changed, when an account has the address already, this one included. */
export function* insertThreepid(row: ThreepidRow): Tx<boolean> {
  const changes = yield* runChanges(
    `INSERT INTO threepids (medium, address, user_id, validated_ts, added_ts) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT DO NOTHING`,
    row.medium,
    row.address,
    row.user_id,
    row.validated_ts,
    row.added_ts,
  )
  return changes === 1
}

export function* threepidOwner(medium: string, address: string): Tx<string | undefined> {
  const row = yield* one<{ user_id: string }>(
    'SELECT user_id FROM threepids WHERE medium = ? AND address = ?',
    medium,
    address,
  )
  return row?.user_id
}

export function* threepidsOf(userId: string): Tx<readonly ThreepidRow[]> {
  return yield* all<ThreepidRow>(
    `SELECT medium, address, user_id, validated_ts, added_ts FROM threepids WHERE user_id = ?
     ORDER BY added_ts, address`,
    userId,
  )
}

/** Post: the user does not have the address; false when they did not have it before. */
export function* deleteThreepid(userId: string, medium: string, address: string): Tx<boolean> {
  const changes = yield* runChanges(
    'DELETE FROM threepids WHERE user_id = ? AND medium = ? AND address = ?',
    userId,
    medium,
    address,
  )
  return changes === 1
}

export function* deleteThreepidsOf(userId: string): Tx<void> {
  yield* run('DELETE FROM threepids WHERE user_id = ?', userId)
}

/** The next e-mail addresses in the order in which accounts were given them. */
export function* emailsAddedAfter(
  after: { readonly ts: number; readonly address: string },
  limit: number,
): Tx<readonly Pick<ThreepidRow, 'address' | 'added_ts'>[]> {
  return yield* all<Pick<ThreepidRow, 'address' | 'added_ts'>>(
    `SELECT address, added_ts FROM threepids
     WHERE medium = 'email' AND added_ts >= ? AND (added_ts > ? OR address > ?)
     ORDER BY added_ts, address LIMIT ?`,
    after.ts,
    after.ts,
    after.address,
    limit,
  )
}

/** Pre: at most a few hundred addresses. */
export function* ownersOfEmails(
  addresses: readonly string[],
): Tx<readonly Pick<ThreepidRow, 'address' | 'user_id'>[]> {
  if (addresses.length === 0) return []
  return yield* all(
    "SELECT address, user_id FROM threepids WHERE medium = 'email' AND address IN (??)",
    addresses,
  )
}
