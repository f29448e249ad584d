import { StorageError } from './errors.js'
import { scanSql, type SqlToken } from './sql-scan.js'
import type { Param } from './tx.js'
import { checkList, checkValue, isList } from './values.js'

export interface PostgresStatement {
  readonly text: string
  readonly values: unknown[]
}

/** One text for each statement and each pattern of parameter types; both are few. */
const MAX_TEXTS = 4_000

/**
 * Translates statements: `?` becomes `$1::int8` by the type of the value, for PostgreSQL would take `? + 1` for a 4-byte integer
 * and `? IS NULL` for nothing at all; null is written as NULL. `IN (??)` becomes `= ANY ($1::text[])`.
 */
export function createPostgresTranslator(): (sql: string, params: readonly Param[]) => PostgresStatement {
  const scanned = new Map<string, readonly SqlToken[]>()
  const texts = new Map<string, string>()

  function tokensOf(sql: string): readonly SqlToken[] {
    const known = scanned.get(sql)
    if (known !== undefined) return known
    if (scanned.size >= MAX_TEXTS) scanned.clear()
    const tokens = scanSql(sql)
    scanned.set(sql, tokens)
    return tokens
  }

  return (sql, params) => {
    const types = params.map(typeOf)
    const key = `${types.join('')}|${sql}`
    let text = texts.get(key)
    if (text === undefined) {
      if (texts.size >= MAX_TEXTS) texts.clear()
      text = write(tokensOf(sql), types, sql)
      texts.set(key, text)
    }
    return { text, values: params.filter((_, index) => sends(types[index]!)) }
  }
}

/** One letter a parameter: i, t, b; n for null; I, T for lists and e for an empty one. */
function typeOf(param: Param): string {
  if (isList(param)) {
    checkList(param)
    return param.length === 0 ? 'e' : typeof param[0] === 'number' ? 'I' : 'T'
  }
  checkValue(param)
  if (param === null) return 'n'
  return typeof param === 'string' ? 't' : typeof param === 'number' ? 'i' : 'b'
}

function sends(type: string): boolean {
  return type !== 'n' && type !== 'e'
}

const CASTS: Readonly<Record<string, string>> = {
  i: '::int8',
  t: '::text',
  b: '::bytea',
  I: '::int8[]',
  T: '::text[]',
}

function write(tokens: readonly SqlToken[], types: readonly string[], sql: string): string {
  let text = ''
  let used = 0
  let sent = 0
  const next = (kind: SqlToken['kind']): string => {
    const type = types[used++]
    if (type === undefined) throw mismatch(types.length, sql)
    if ((kind === 'list') !== 'ITe'.includes(type))
      throw new StorageError('misuse', `?? takes a list and ? a single value: ${sql}`)
    if (type === 'n') return 'NULL'
    return type === 'e' ? "'{}'" : `$${++sent}${CASTS[type]!}`
  }
  for (const token of tokens) {
    if (token.kind === 'list') text = openList(text, sql) + next('list')
    else text += token.kind === 'placeholder' ? next('placeholder') : castType(token, text)
  }
  if (used !== types.length) throw mismatch(types.length, sql)
  return text
}

/** Turns the `IN (` or `NOT IN (` that the text ends with into a comparison with an array. */
function openList(text: string, sql: string): string {
  const match = /\b(NOT\s{1,9})?IN\s{0,9}\(\s{0,9}$/i.exec(text.slice(-40))
  if (match === null) throw new StorageError('misuse', `a list stands in IN (??) only: ${sql}`)
  const before = text.slice(0, text.length - match[0].length)
  return `${before}${match[1] === undefined ? '= ANY' : '<> ALL'} (`
}

const CAST_TYPES: ReadonlyMap<string, string> = new Map([
  ['INTEGER', 'BIGINT'],
  ['BLOB', 'BYTEA'],
])

function castType(token: SqlToken, before: string): string {
  if (token.kind !== 'word') return token.text
  const type = CAST_TYPES.get(token.text.toUpperCase())
  return type !== undefined && /\bAS\s*$/i.test(before.slice(-20)) ? type : token.text
}

function mismatch(given: number, sql: string): StorageError {
  return new StorageError('misuse', `${given} parameters do not fit the placeholders: ${sql}`)
}
