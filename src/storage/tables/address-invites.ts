import { all, one, run, runChanges, type Tx } from '../tx.js'

/** An invitation of an address, kept by the server to which the address belongs. Addresses are canonical. */
export interface AddressInviteRow {
  readonly token: string
  readonly address: string
  readonly room_id: string
  readonly sender: string
  /** Unpadded base64, both. */
  readonly seed: string
  readonly public_key: string
  readonly created_ts: number
  readonly expires_ts: number
  /** Whose address it is now. */
  readonly user_id: string | null
  readonly attempts: number
  /** When the user's invite is asked for. */
  readonly due_ts: number | null
}

const COLUMNS =
  'token, address, room_id, sender, seed, public_key, created_ts, expires_ts, user_id, attempts, due_ts'

export function* insertAddressInvite(
  row: Omit<AddressInviteRow, 'user_id' | 'attempts' | 'due_ts'>,
): Tx<void> {
  yield* run(
    `INSERT INTO address_invites (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, 0, NULL)`,
    row.token,
    row.address,
    row.room_id,
    row.sender,
    row.seed,
    row.public_key,
    row.created_ts,
    row.expires_ts,
  )
}

/** The same invitation, made before and still waiting. */
export function* waitingAddressInvite(
  address: string,
  roomId: string,
  sender: string,
  now: number,
): Tx<AddressInviteRow | undefined> {
  return yield* one<AddressInviteRow>(
    `SELECT ${COLUMNS} FROM address_invites
     WHERE address = ? AND room_id = ? AND sender = ? AND user_id IS NULL AND expires_ts > ?`,
    address,
    roomId,
    sender,
    now,
  )
}

/** Whether anybody has invited the address, and nobody has it yet. */
export function* isAddressInvited(address: string, now: number): Tx<boolean> {
  const row = yield* one(
    'SELECT 1 AS found FROM address_invites WHERE address = ? AND user_id IS NULL AND expires_ts > ? LIMIT 1',
    address,
    now,
  )
  return row !== undefined
}

export function* countInvitesOfAddress(address: string, since: number): Tx<number> {
  return (yield* one<{ n: number }>(
    'SELECT COUNT(*) AS n FROM address_invites WHERE address = ? AND created_ts > ?',
    address,
    since,
  ))!.n
}

export function* countInvitesBy(sender: string, since: number): Tx<number> {
  return (yield* one<{ n: number }>(
    'SELECT COUNT(*) AS n FROM address_invites WHERE sender = ? AND created_ts > ?',
    sender,
    since,
  ))!.n
}

export function* isAddressInviteKey(publicKey: string, now: number): Tx<boolean> {
  const row = yield* one(
    'SELECT 1 AS found FROM address_invites WHERE public_key = ? AND expires_ts > ? LIMIT 1',
    publicKey,
    now,
  )
  return row !== undefined
}

/** Post: what waited for the address is due, for its user. */
export function* bindAddressInvites(address: string, userId: string, now: number): Tx<void> {
  yield* run(
    'UPDATE address_invites SET user_id = ?, due_ts = ? WHERE address = ? AND user_id IS NULL AND expires_ts > ?',
    userId,
    now,
    address,
    now,
  )
}

export function* dueAddressInvites(now: number, limit: number): Tx<readonly AddressInviteRow[]> {
  return yield* all<AddressInviteRow>(
    `SELECT ${COLUMNS} FROM address_invites WHERE due_ts <= ? ORDER BY due_ts, token LIMIT ?`,
    now,
    limit,
  )
}

/** `due`: when it is tried again; null: never. */
export function* postponeAddressInvite(token: string, attempts: number, due: number | null): Tx<void> {
  yield* run('UPDATE address_invites SET attempts = ?, due_ts = ? WHERE token = ?', attempts, due, token)
}

/** Post: the invitation is gone, unless somebody has the address already. */
export function* deleteWaitingInvite(token: string, sender: string): Tx<void> {
  yield* run('DELETE FROM address_invites WHERE token = ? AND sender = ? AND user_id IS NULL', token, sender)
}

/** The same of many by users of one server. */
export function* deleteWaitingInvites(tokens: readonly string[], senders: readonly string[]): Tx<void> {
  yield* run(
    'DELETE FROM address_invites WHERE token IN (??) AND sender IN (??) AND user_id IS NULL',
    tokens,
    senders,
  )
}

/** Post: at most `limit` of what is over is gone; how many that were. */
export function* deleteExpiredInvites(now: number, limit: number): Tx<number> {
  return yield* runChanges(
    `DELETE FROM address_invites WHERE token IN
       (SELECT token FROM address_invites WHERE expires_ts <= ? ORDER BY expires_ts LIMIT ?)`,
    now,
    limit,
  )
}
