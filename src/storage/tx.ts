/**
 * The storage port. A transaction body is a generator that yields queries and is sent their results:
 *
 *     const user = await store.read('accounts.byId', function* () {
 *       return yield* one<UserRow>('SELECT * FROM users WHERE user_id = ?', userId)
 *     })
 *
 * The SQLite driver runs a body synchronously, the PostgreSQL driver awaits each query; the SQL is written once.
 * `await` inside a body does not compile, so nobody holds a transaction open across the network.
 * Bodies have no side effects until they return; they may be run again only before anything was committed.
 *
 * Placeholders are `?`. `IN (??)` takes one array parameter. Booleans are 0 and 1, JSON is TEXT, bytes are Uint8Array.
 */
export type Value = string | number | Uint8Array | null
export type Param = Value | readonly string[] | readonly number[]

export interface Query {
  readonly sql: string
  readonly params: readonly Param[]
  /** Several parameter rows for one statement: SQLite loops, PostgreSQL sends one multi-row statement. */
  readonly rows?: readonly (readonly Value[])[]
  readonly kind: 'rows' | 'run' | 'many'
  /** Nobody reads its result: PostgreSQL is sent it together with what follows. Where it fails, so does all that comes after it. */
  readonly ahead?: true
  /** PostgreSQL plans it for these very parameters: for where the best plan differs with them by orders of magnitude. SQLite has one plan. */
  readonly planAnew?: true
}

export interface QueryResult {
  readonly rows: readonly unknown[]
  readonly changes: number
}

export type Tx<T> = Generator<Query, T, QueryResult>

export function* all<R>(sql: string, ...params: Param[]): Tx<readonly R[]> {
  const result = yield { sql, params, kind: 'rows' }
  return result.rows as readonly R[]
}

/** As `all`, with `planAnew`. */
export function* allPlannedAnew<R>(sql: string, ...params: Param[]): Tx<readonly R[]> {
  const result = yield { sql, params, kind: 'rows', planAnew: true }
  return result.rows as readonly R[]
}

export function* one<R>(sql: string, ...params: Param[]): Tx<R | undefined> {
  const result = yield { sql, params, kind: 'rows' }
  return result.rows[0] as R | undefined
}

/** Runs a statement that returns no rows, for its effect: PostgreSQL does not wait for its end before the next. */
export function* run(sql: string, ...params: Param[]): Tx<void> {
  yield { sql, params, kind: 'run', ahead: true }
}

/** Runs a statement that returns no rows; gives the number of rows changed. */
export function* runChanges(sql: string, ...params: Param[]): Tx<number> {
  const result = yield { sql, params, kind: 'run' }
  return result.changes
}

/**
 * Runs one `INSERT … VALUES (?, …)` (an ON CONFLICT clause may follow) or other statement for each row, for its effect, as `run` does.
 * Does nothing for no rows.
 */
export function* many(sql: string, rows: readonly (readonly Value[])[]): Tx<void> {
  if (rows.length > 0) yield { sql, params: [], rows, kind: 'many', ahead: true }
}

/** As `many`; gives the number of rows changed. */
export function* manyChanges(sql: string, rows: readonly (readonly Value[])[]): Tx<number> {
  if (rows.length === 0) return 0
  const result = yield { sql, params: [], rows, kind: 'many' }
  return result.changes
}

export interface Store {
  readonly dialect: 'sqlite' | 'postgres'
  /** A consistent snapshot; never waits for a writer. */
  read<T>(label: string, body: () => Tx<T>): Promise<T>
  /** One atomic transaction; the promise resolves once its effects are on disk. */
  write<T>(label: string, body: () => Tx<T>): Promise<T>
  /** The last stream position whose rows are on disk. Readers bound every stream query by it. */
  position(): Promise<number>
  close(): Promise<void>
}
