import { all, run, type Tx } from '../tx.js'

/** An address of a user that an identity server publishes since the user asked for it through this server. */
export interface ThreepidBindingRow {
  readonly user_id: string
  readonly medium: string
  readonly address: string
  readonly id_server: string
}

export function* bindingsOf(userId: string): Tx<readonly ThreepidBindingRow[]> {
  return yield* all<ThreepidBindingRow>(
    'SELECT user_id, medium, address, id_server FROM threepid_bindings WHERE user_id = ? ORDER BY medium, address, id_server',
    userId,
  )
}

export function* putBinding(row: ThreepidBindingRow): Tx<void> {
  yield* run(
    `INSERT INTO threepid_bindings (user_id, medium, address, id_server) VALUES (?, ?, ?, ?)
     ON CONFLICT DO NOTHING`,
    row.user_id,
    row.medium,
    row.address,
    row.id_server,
  )
}

export function* deleteBinding(row: ThreepidBindingRow): Tx<void> {
  yield* run(
    'DELETE FROM threepid_bindings WHERE user_id = ? AND medium = ? AND address = ? AND id_server = ?',
    row.user_id,
    row.medium,
    row.address,
    row.id_server,
  )
}

export function* deleteBindingsOf(userId: string): Tx<void> {
  yield* run('DELETE FROM threepid_bindings WHERE user_id = ?', userId)
}
