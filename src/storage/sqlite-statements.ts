import type { Database, Statement } from 'better-sqlite3'
import { StorageError } from './errors.js'
import { scanSql } from './sql-scan.js'
import type { Query, QueryResult, Tx, Param, Value } from './tx.js'
import { checkInteger, checkList, checkText, isList } from './values.js'

type Bindable = string | number | bigint | Buffer | Uint8Array | null

interface Prepared {
  readonly statement: Statement<Bindable[], unknown>
  /** For each placeholder, whether it is a `??`. */
  readonly lists: readonly boolean[]
}

export interface Statements {
  /** Runs one query. Throws what SQLite throws, and a StorageError for misuse. */
  execute(query: Query, mode: 'read' | 'write'): QueryResult
}

/** SQL texts are written in the program, so the bound is for a mistake: a statement built from data. */
const MAX_STATEMENTS = 2_000
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
      const { statement, lists } = prepared(query.sql)
      if (mode === 'read' && !statement.readonly) throw new StorageError('misuse', 'a read body writes')
      if (query.kind === 'rows') {
        if (!statement.reader)
          throw new StorageError('misuse', `this statement returns no rows, use run: ${query.sql}`)
        const rows = statement.all(...bind(query.params, lists, query.sql))
        return { rows, changes: rows.length }
      }
      if (statement.reader)
        throw new StorageError('misuse', `this statement returns rows, use all or one: ${query.sql}`)
      if (query.kind === 'run') {
        return { rows: NO_ROWS, changes: statement.run(...bind(query.params, lists, query.sql)).changes }
      }
      let changes = 0
      for (const row of query.rows ?? []) {
        changes += statement.run(...bind(row, lists, query.sql)).changes
      }
      return { rows: NO_ROWS, changes }
    },
  }
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
  const lists: boolean[] = []
  let text = ''
  for (const token of scanSql(sql)) {
    if (token.kind === 'placeholder' || token.kind === 'list') lists.push(token.kind === 'list')
    text += token.kind === 'list' ? 'SELECT value FROM json_each(?)' : token.text
  }
  const statement = database.prepare<Bindable[], unknown>(text)
  if (statement.reader) refuseFoldedNames(statement, sql)
  return { statement, lists }
}

/** PostgreSQL folds names that are not quoted to lower case: `AS userId` gives `userid` there. */
function refuseFoldedNames(statement: Statement<Bindable[], unknown>, sql: string): void {
  for (const { name } of statement.columns()) {
    if (name !== name.toLowerCase() && !sql.includes(`"${name}"`))
      throw new StorageError('misuse', `the result column ${name} must be lower case or quoted: ${sql}`)
  }
}

function bind(params: readonly Param[], lists: readonly boolean[], sql: string): Bindable[] {
  if (params.length !== lists.length)
    throw new StorageError('misuse', `${params.length} parameters for ${lists.length} placeholders: ${sql}`)
  const bound: Bindable[] = []
  for (let index = 0; index < params.length; index++) {
    const param = params[index]!
    if (lists[index] === true) {
      if (!isList(param)) throw new StorageError('misuse', `?? takes a list: ${sql}`)
      checkList(param)
      bound.push(JSON.stringify(param))
    } else {
      if (isList(param)) throw new StorageError('misuse', `a list needs ??: ${sql}`)
      bound.push(bindable(param))
    }
  }
  return bound
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
