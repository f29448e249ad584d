/** A piece of SQL: a word, a placeholder, one other character, or something that is passed through as it is. */
export interface SqlToken {
  readonly kind: 'word' | 'placeholder' | 'list' | 'punctuation' | 'quoted' | 'space'
  readonly text: string
}

const WORD = /[A-Za-z0-9_.]/
const SPACE = /\s/

/**
 * Cuts our own SQL into tokens, in one pass. `?` is a placeholder and `??` a list; those in strings, quoted names and comments
 * are text. Comments count as space. The texts of the tokens, joined, are the input.
 */
export function scanSql(sql: string): SqlToken[] {
  const tokens: SqlToken[] = []
  let at = 0
  while (at < sql.length) {
    const kind = kindAt(sql, at)
    const end = endOf(sql, at, kind)
    tokens.push({ kind, text: sql.slice(at, end) })
    at = end
  }
  return tokens
}

function kindAt(sql: string, at: number): SqlToken['kind'] {
  const char = sql[at]!
  if (char === '?') return sql[at + 1] === '?' ? 'list' : 'placeholder'
  if (char === "'" || char === '"') return 'quoted'
  if (SPACE.test(char) || sql.startsWith('--', at) || sql.startsWith('/*', at)) return 'space'
  return WORD.test(char) ? 'word' : 'punctuation'
}

function endOf(sql: string, start: number, kind: SqlToken['kind']): number {
  switch (kind) {
    case 'list':
      return start + 2
    case 'quoted':
      return endOfQuoted(sql, start)
    case 'space':
      return endOfSpace(sql, start)
    case 'word': {
      let at = start + 1
      while (at < sql.length && WORD.test(sql[at]!)) at++
      return at
    }
    default:
      return start + 1
  }
}

function endOfQuoted(sql: string, start: number): number {
  const quote = sql[start]!
  let at = start + 1
  for (;;) {
    const close = sql.indexOf(quote, at)
    if (close < 0) throw new SyntaxError('SQL with a quote that is not closed')
    if (sql[close + 1] !== quote) return close + 1
    at = close + 2
  }
}

function endOfSpace(sql: string, start: number): number {
  if (sql.startsWith('--', start)) {
    const newline = sql.indexOf('\n', start)
    return newline < 0 ? sql.length : newline + 1
  }
  if (sql.startsWith('/*', start)) {
    const close = sql.indexOf('*/', start + 2)
    if (close < 0) throw new SyntaxError('SQL with a comment that is not closed')
    return close + 2
  }
  let at = start + 1
  while (at < sql.length && SPACE.test(sql[at]!)) at++
  return at
}
