import { scanSql, type SqlToken } from './sql-scan.js'
import type { Value } from './tx.js'
import { checkValue } from './values.js'

/** An `INSERT INTO t (…) VALUES (?, …) …` whose row can be repeated. */
export interface RowInsert {
  /** Up to and with VALUES. */
  readonly head: string
  readonly columns: number
  /** From after the row: the ON CONFLICT clause. */
  readonly tail: string
  /** Where the columns of the conflict's key stand in a row, when the clause updates. */
  readonly key: readonly number[] | undefined
}

export interface RowsStatement {
  readonly text: string
  readonly values: Value[]
}

/** PostgreSQL takes 65,535 parameters in a statement. */
const MAX_PARAMETERS = 30_000
const MAX_ROWS = 1_000

/** Undefined where the statement is anything else; it is then run once for each row. */
export function parseRowInsert(sql: string): RowInsert | undefined {
  const tokens = scanSql(sql)
  const words = tokens.map((token) => (token.kind === 'space' ? ' ' : token.text.toUpperCase()))
  const values = words.indexOf('VALUES')
  if (words[0] !== 'INSERT' && words[1] !== 'INSERT') return undefined
  if (values < 0) return undefined
  const row = parenthesised(tokens, values + 1)
  if (row === undefined || !row.items.every((item) => item === '?')) return undefined
  const tail = tokens.slice(row.end)
  if (tail.some((token) => token.kind === 'placeholder' || token.kind === 'list')) return undefined
  const updates = words.indexOf('UPDATE', row.end) >= 0
  const key = updates ? conflictKey(tokens, words, values, row.end) : undefined
  if (updates && key === undefined) return undefined
  const text = (part: readonly SqlToken[]): string => part.map((token) => token.text).join('')
  return { head: text(tokens.slice(0, values + 1)), columns: row.items.length, tail: text(tail), key }
}

/**
 * Cuts the rows into statements, in order. A statement that updates on conflict may not meet one key twice in PostgreSQL,
 * so a row whose key the statement has already begins the next one.
 */
export function* rowStatements(
  insert: RowInsert,
  rows: readonly (readonly Value[])[],
): Generator<RowsStatement> {
  const limit = Math.max(1, Math.min(MAX_ROWS, Math.floor(MAX_PARAMETERS / insert.columns)))
  let part: (readonly Value[])[] = []
  let keys = new Set<string>()
  for (const row of rows) {
    const key = insert.key === undefined ? undefined : JSON.stringify(insert.key.map((index) => row[index]))
    if (part.length >= limit || (key !== undefined && keys.has(key))) {
      yield statement(insert, part)
      part = []
      keys = new Set()
    }
    part.push(row)
    if (key !== undefined) keys.add(key)
  }
  if (part.length > 0) yield statement(insert, part)
}

function statement(insert: RowInsert, rows: readonly (readonly Value[])[]): RowsStatement {
  const values: Value[] = []
  const tuples = rows.map((row) => {
    for (const value of row) checkValue(value)
    const first = values.push(...row) - row.length + 1
    return `(${row.map((_, index) => `$${first + index}`).join(', ')})`
  })
  return { text: `${insert.head} ${tuples.join(', ')}${insert.tail}`, values }
}

/** The positions, in the row, of the columns in `ON CONFLICT (…)`. */
function conflictKey(
  tokens: readonly SqlToken[],
  words: readonly string[],
  values: number,
  from: number,
): readonly number[] | undefined {
  const conflict = words.indexOf('CONFLICT', from)
  const target = conflict < 0 ? undefined : parenthesised(tokens, conflict + 1)
  const open = words.indexOf('(')
  const columns = open < 0 || open > values ? undefined : parenthesised(tokens, open)
  if (target === undefined || columns === undefined) return undefined
  const key = target.items.map((name) => columns.items.indexOf(name))
  return key.includes(-1) ? undefined : key
}

/** The items, without space, of the flat list in parentheses that begins at or after `from` behind space alone. */
function parenthesised(
  tokens: readonly SqlToken[],
  from: number,
): { items: string[]; end: number } | undefined {
  let at = from
  while (tokens[at]?.kind === 'space') at++
  if (tokens[at]?.text !== '(') return undefined
  const items: string[] = ['']
  for (at++; at < tokens.length; at++) {
    const token = tokens[at]!
    if (token.text === ')') return { items, end: at + 1 }
    if (token.text === '(') return undefined
    if (token.text === ',') items.push('')
    else if (token.kind !== 'space') items[items.length - 1] += token.text
  }
  return undefined
}
