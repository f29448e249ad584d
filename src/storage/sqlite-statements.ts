import type { Database, Statement } from 'better-sqlite3'
import { StorageError } from './errors.js'
import { scanSql } from './sql-scan.js'
import type { Query, QueryResult, Tx, Param, Value } from './tx.js'
import { checkInteger, checkList, checkText, isList } from './values.js'

type Bindable = string | number | bigint | Buffer | Uint8Array | null

interface Prepared {
  /** Lists of any length, as JSON. */
  readonly statement: Statement<Bindable[], unknown>
  /** For each placeholder, whether it is a `??`. */
  readonly lists: readonly boolean[]
  readonly hasLists: boolean
  /** The same with room for so many values in each list. */
  readonly short: Map<number, Statement<Bindable[], unknown>>
}

export interface Statements {
  /** Runs one query. Throws what SQLite throws, and a StorageError for misuse. */
  execute(query: Query, mode: 'read' | 'write'): QueryResult
}

/** SQL texts are written in the program, so the bound is for a mistake: a statement built from data. */
const MAX_STATEMENTS = 2_000
/** Lists up to this length are bound value by value: a deletion by a list as JSON takes 30 µs, whatever it deletes. */
const SHORT_LIST = 64
const NO_ROWS: readonly unknown[] = []

export function createStatements(database: Database): Statements {
  const cache = new Map<string, Prepared>()

  function prepared(sql: string): Prepared {
    const known = cache.get(sql)
    if (known !== undefined) return known
    if (cache.size >= MAX_STATEMENTS) cache.delete(cache.keys().next().value!)
    const made = prepare(database, sql)
    cache.set(sql, made)
    return made
  }

  return {
    execute(query, mode) {
      const known = prepared(query.sql)
      const { statement } = known
      if (mode === 'read' && !statement.readonly) throw new StorageError('misuse', 'a read body writes')
      if (query.kind === 'rows') {
        if (!statement.reader)
          throw new StorageError('misuse', `this statement returns no rows, use run: ${query.sql}`)
        const { fitting, bound } = bind(known, query.params, query.sql)
        const rows = fitting.all(...bound)
        return { rows, changes: rows.length }
      }
      if (statement.reader)
        throw new StorageError('misuse', `this statement returns rows, use all or one: ${query.sql}`)
      if (query.kind === 'run') {
        const { fitting, bound } = bind(known, query.params, query.sql)
        return { rows: NO_ROWS, changes: fitting.run(...bound).changes }
      }
      let changes = 0
      for (const row of query.rows ?? []) {
        const { fitting, bound } = bind(known, row, query.sql)
        changes += fitting.run(...bound).changes
      }
      return { rows: NO_ROWS, changes }
    },
  }

  /** The parameters, and the form of the statement that has room for their lists. */
  function bind(
    known: Prepared,
    params: readonly Param[],
    sql: string,
  ): { readonly fitting: Statement<Bindable[], unknown>; readonly bound: Bindable[] } {
    const { lists, hasLists, statement } = known
    if (params.length !== lists.length)
      throw new StorageError('misuse', `${params.length} parameters for ${lists.length} placeholders: ${sql}`)
    const width = hasLists ? widthOf(params) : 0
    const bound: Bindable[] = []
    for (let index = 0; index < params.length; index++) {
      const param = params[index]!
      if (lists[index] === true) {
        if (!isList(param)) throw new StorageError('misuse', `?? takes a list: ${sql}`)
        checkList(param)
        if (width === 0) bound.push(JSON.stringify(param))
        // A value that is there several times counts once.
        else for (let i = 0; i < width; i++) bound.push(bindable(param[Math.min(i, param.length - 1)]!))
      } else {
        if (isList(param)) throw new StorageError('misuse', `a list needs ??: ${sql}`)
        bound.push(bindable(param))
      }
    }
    if (width === 0) return { fitting: statement, bound }
    let fitting = known.short.get(width)
    if (fitting === undefined) {
      fitting = database.prepare<Bindable[], unknown>(textOf(sql, width))
      known.short.set(width, fitting)
    }
    return { fitting, bound }
  }
}

/** The least power of two that all lists fit into; 0 where one of them is empty or long. */
function widthOf(params: readonly Param[]): number {
  let longest = 0
  for (const param of params) {
    if (!isList(param)) continue
    if (param.length === 0 || param.length > SHORT_LIST) return 0
    longest = Math.max(longest, param.length)
  }
  let width = longest === 0 ? 0 : 1
  while (width < longest) width *= 2
  return width
}

/** Drives a body to its end in this very call. */
export function runBody<T>(body: () => Tx<T>, statements: Statements, mode: 'read' | 'write'): T {
  const generator = body()
  let step = generator.next()
  while (!step.done) {
    let result: QueryResult
    try {
      result = statements.execute(step.value, mode)
    } catch (error) {
      // A failed query ends the body: PostgreSQL could not go on in this transaction, so SQLite does not either.
      generator.return(undefined as T)
      throw error
    }
    step = generator.next(result)
  }
  return step.value
}

function prepare(database: Database, sql: string): Prepared {
  const lists = scanSql(sql).flatMap(({ kind }) =>
    kind === 'placeholder' || kind === 'list' ? [kind === 'list'] : [],
  )
  const statement = database.prepare<Bindable[], unknown>(textOf(sql, 0))
  if (statement.reader) refuseFoldedNames(statement, sql)
  return { statement, lists, hasLists: lists.includes(true), short: new Map() }
}

/** The text for SQLite. `width`: the values that each list has room for; 0: lists come as JSON. */
function textOf(sql: string, width: number): string {
  const list = width === 0 ? 'SELECT value FROM json_each(?)' : Array(width).fill('?').join(', ')
  return scanSql(sql)
    .map(({ kind, text }) => (kind === 'list' ? list : text))
    .join('')
}

/** PostgreSQL folds names that are not quoted to lower case: `AS userId` gives `userid` there. */
function refuseFoldedNames(statement: Statement<Bindable[], unknown>, sql: string): void {
  for (const { name } of statement.columns()) {
    if (name !== name.toLowerCase() && !sql.includes(`"${name}"`))
      throw new StorageError('misuse', `the result column ${name} must be lower case or quoted: ${sql}`)
  }
}

function bindable(value: Value): Bindable {
  if (typeof value === 'string') {
    checkText(value)
    return value
  }
  if (typeof value === 'number') {
    checkInteger(value)
    // The driver hands plain numbers to SQLite as floating point, in which `? / 1000` is no integer division.
    return BigInt(value)
  }
  if (value === null) return null
  if (value instanceof Uint8Array) return value
  throw new StorageError('misuse', `a parameter of type ${typeof value} cannot be stored`)
}
