import { all, one, run, runChanges, type Tx } from '../tx.js'

/** The second factor of an administrator. Times: milliseconds since 1970. */
export interface SecondFactorRow {
  readonly user_id: string
  readonly sealed: string
  readonly enrolled_ts: number
  /** The step of the last code that was taken: none of it or before is taken again. */
  readonly last_step: number
  /** Wrong codes since the last right one. */
  readonly failures: number
  readonly locked_ts: number | null
}

const COLUMNS = 'user_id, sealed, enrolled_ts, last_step, failures, locked_ts'

export function* secondFactorOf(userId: string): Tx<SecondFactorRow | undefined> {
  return yield* one<SecondFactorRow>(`SELECT ${COLUMNS} FROM second_factors WHERE user_id = ?`, userId)
}

export function* secondFactors(limit: number): Tx<readonly SecondFactorRow[]> {
  return yield* all<SecondFactorRow>(`SELECT ${COLUMNS} FROM second_factors ORDER BY user_id LIMIT ?`, limit)
}

/** Post: it takes the place of one that the user had. */
export function* putSecondFactor(row: {
  readonly userId: string
  readonly sealed: string
  readonly enrolledTs: number
}): Tx<void> {
  yield* run(
    `INSERT INTO second_factors (${COLUMNS}) VALUES (?, ?, ?, 0, 0, NULL)
     ON CONFLICT (user_id) DO UPDATE SET sealed = excluded.sealed, enrolled_ts = excluded.enrolled_ts, last_step = 0,
       failures = 0, locked_ts = NULL`,
    row.userId,
    row.sealed,
    row.enrolledTs,
  )
}

/** Post: false where there was none. */
export function* deleteSecondFactor(userId: string): Tx<boolean> {
  return (yield* runChanges('DELETE FROM second_factors WHERE user_id = ?', userId)) === 1
}

/** Post: the code of this step is used up; false where it, or one after it, was. */
export function* takeStep(userId: string, step: number): Tx<boolean> {
  const changes = yield* runChanges(
    'UPDATE second_factors SET last_step = ?, failures = 0 WHERE user_id = ? AND last_step < ? AND locked_ts IS NULL',
    step,
    userId,
    step,
  )
  return changes === 1
}

export function* setFailures(userId: string, failures: number, lockedTs: number | null): Tx<void> {
  yield* run(
    'UPDATE second_factors SET failures = ?, locked_ts = ? WHERE user_id = ?',
    failures,
    lockedTs,
    userId,
  )
}
