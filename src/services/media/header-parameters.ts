/** A header value of the form `value; name=token; name="quoted \" string"`. Names are lower case. */
export interface ParameterisedHeader {
  readonly value: string
  readonly parameters: ReadonlyMap<string, string>
}

const MAX_HEADER = 4096
const MAX_PARAMETERS = 16

/**
 * Reads a header value with parameters in one pass over its characters.
 * Undefined where it is too long, has an unfinished string, a parameter without a name, or one name twice: two
 * readers could otherwise take it for two different things.
 */
export function parseHeaderParameters(text: string): ParameterisedHeader | undefined {
  if (text.length > MAX_HEADER) return undefined
  const end = text.indexOf(';')
  const value = (end === -1 ? text : text.slice(0, end)).trim()
  const parameters = new Map<string, string>()
  let at = end === -1 ? text.length : end
  while (at < text.length) {
    at++
    const equals = text.indexOf('=', at)
    const next = text.indexOf(';', at)
    if (equals === -1 || (next !== -1 && next < equals)) {
      const stop = next === -1 ? text.length : next
      // An empty piece, as in `a; ; b=c` or a trailing semicolon, is harmless.
      if (text.slice(at, stop).trim() !== '') return undefined
      at = stop
      continue
    }
    const name = text.slice(at, equals).trim().toLowerCase()
    const read = readParameter(text, equals + 1)
    if (name === '' || read === undefined || parameters.has(name) || parameters.size >= MAX_PARAMETERS) {
      return undefined
    }
    parameters.set(name, read.value)
    at = read.end
  }
  return { value, parameters }
}

/** `end` is the index of the semicolon that follows, or the length of the text. */
function readParameter(text: string, from: number): { value: string; end: number } | undefined {
  let at = from
  while (text[at] === ' ' || text[at] === '\t') at++
  if (text[at] !== '"') {
    const semicolon = text.indexOf(';', at)
    const end = semicolon === -1 ? text.length : semicolon
    return { value: text.slice(at, end).trim(), end }
  }
  let value = ''
  for (at++; at < text.length; at++) {
    const char = text[at]!
    if (char === '\\' && at + 1 < text.length) {
      at++
      value += text[at]!
    } else if (char === '"') {
      const semicolon = text.indexOf(';', at + 1)
      const end = semicolon === -1 ? text.length : semicolon
      return text.slice(at + 1, end).trim() === '' ? { value, end } : undefined
    } else {
      value += char
    }
  }
  return undefined
}
