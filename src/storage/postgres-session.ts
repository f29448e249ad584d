import type { ClientBase, CustomTypesConfig, QueryConfig } from 'pg'
import pg from 'pg'
import { StorageError } from './errors.js'
import { parseRowInsert, rowStatements, type RowInsert } from './postgres-many.js'
import { createPostgresTranslator } from './postgres-sql.js'
import type { Query, QueryResult, Tx, Value } from './tx.js'

/** Runs queries of the port on a connection. Shared by all connections of a store: it keeps texts, no state. */
export interface PostgresSession {
  execute(client: ClientBase, query: Query): Promise<QueryResult>
  /** Drives a body to its end. Throws the body's error, or the query's. */
  runBody<T>(client: ClientBase, body: () => Tx<T>): Promise<T>
}

/** Statements that the server keeps parsed, on each connection. */
const MAX_NAMED = 1_000
/** Statements of one body that are on their way before one of them is waited for. */
const MAX_AHEAD = 100
const NO_ROWS: readonly unknown[] = []
const NOTHING: QueryResult = { rows: NO_ROWS, changes: 0 }

const INT8 = 20
const NUMERIC = 1700

/** int8 as a number; and numeric, which is what `sum` of int8 gives. */
export const NUMBER_TYPES: CustomTypesConfig = {
  getTypeParser(oid: number, format?: 'text' | 'binary') {
    if (oid === INT8 || oid === NUMERIC) return parseInteger
    return pg.types.getTypeParser(oid, format) as (value: string) => unknown
  },
} as CustomTypesConfig

export function createPostgresSession(): PostgresSession {
  const translate = createPostgresTranslator()
  const names = new Map<string, string>()
  const inserts = new Map<string, RowInsert | undefined>()

  /** A named statement is parsed once on each connection; past the bound they go unnamed. */
  function named(text: string, values: unknown[]): QueryConfig {
    let name = names.get(text)
    if (name === undefined && names.size < MAX_NAMED) {
      name = `s${names.size}`
      names.set(text, name)
    }
    return name === undefined ? { text, values } : { text, values, name }
  }

  function rowInsert(sql: string): RowInsert | undefined {
    if (!inserts.has(sql)) {
      if (inserts.size >= MAX_NAMED) inserts.clear()
      inserts.set(sql, parseRowInsert(sql))
    }
    return inserts.get(sql)
  }

  async function runRows(
    client: ClientBase,
    sql: string,
    rows: readonly (readonly Value[])[],
  ): Promise<number> {
    const insert = rowInsert(sql)
    const configs: QueryConfig[] = []
    if (insert === undefined) {
      for (const row of rows) {
        const { text, values } = translate(sql, row)
        configs.push(named(text, values))
      }
    } else {
      for (const row of rows) {
        if (row.length !== insert.columns)
          throw new StorageError('misuse', `${row.length} values for ${insert.columns} placeholders: ${sql}`)
      }
      configs.push(...rowStatements(insert, rows))
    }
    // All are sent at once; once one fails, so do those behind it.
    const results = await Promise.all(configs.map((config) => client.query(config)))
    return results.reduce((changes, result) => changes + (result.rowCount ?? 0), 0)
  }

  async function execute(client: ClientBase, query: Query): Promise<QueryResult> {
    if (query.kind === 'many') {
      return { rows: NO_ROWS, changes: await runRows(client, query.sql, query.rows ?? []) }
    }
    const { text, values } = translate(query.sql, query.params)
    // A named statement gets one plan for all parameters once it has run some times.
    const config = query.planAnew === true ? { text, values } : named(text, values)
    const result = await client.query<Record<string, unknown>>(config)
    if (query.kind === 'run' && result.fields.length > 0)
      throw new StorageError('misuse', `this statement returns rows, use all or one: ${query.sql}`)
    return { rows: result.rows, changes: result.rowCount ?? 0 }
  }

  return {
    execute,
    async runBody(client, body) {
      const generator = body()
      const sent: Promise<unknown>[] = []
      try {
        let step = generator.next()
        while (!step.done) {
          const result = execute(client, step.value)
          if (step.value.ahead === true) {
            result.catch(() => undefined)
            if (sent.push(result) % MAX_AHEAD === 0) await result
          }
          step = generator.next(step.value.ahead === true ? NOTHING : await result)
        }
        await Promise.all(sent)
        return step.value
      } catch (error) {
        generator.return(undefined as never)
        // The first that failed says why; those behind it, only that the transaction is aborted.
        for (const result of sent) await result
        throw error
      }
    },
  }
}

function parseInteger(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value))
    throw new StorageError('value', `the database gave ${text}, which is not an integer that a number holds`)
  return value
}
