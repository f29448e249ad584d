import { mayBeInline } from './content-type.js'
import { parseHeaderParameters } from './header-parameters.js'

/** UTF-8 bytes; the longest name that common file systems take is 255. */
const MAX_FILE_NAME = 1024

/**
 * A file name as it is kept: control characters taken out, cut at 1024 bytes, lone surrogates replaced.
 * Null when nothing is left.
 */
export function storedFileName(name: string | undefined | null): string | null {
  if (name === undefined || name === null) return null
  let clean = ''
  // Bounded before it is walked: four bytes are the most a character takes.
  for (const char of name.slice(0, MAX_FILE_NAME)) {
    const code = char.codePointAt(0)!
    if (code >= 0x20 && code !== 0x7f && !(code >= 0x80 && code <= 0x9f)) clean += char
  }
  let bytes = Buffer.from(clean, 'utf8')
  if (bytes.length > MAX_FILE_NAME) {
    let end = MAX_FILE_NAME
    while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--
    bytes = bytes.subarray(0, end)
  }
  const text = bytes.toString('utf8')
  return text === '' ? null : text
}

/** Characters that RFC 5987 lets stand for themselves in `filename*`. */
const ATTRIBUTE_CHARS = new Set(
  Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$&+-.^_`|~'),
)

function percentEncode(text: string): string {
  let out = ''
  for (const byte of Buffer.from(text, 'utf8')) {
    out += ATTRIBUTE_CHARS.has(byte)
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return out
}

/** A name that every reader takes literally as a token, with no quotes and no escapes. */
const PLAIN = /^[A-Za-z0-9!#$&+.^_`|~-]+$/
const PRINTABLE_ASCII = /^[\x20-\x7e]+$/

/**
 * The header's value: `inline` for the specification's list of harmless types, otherwise `attachment`; the name as
 * a token, a quoted string, or percent-encoded UTF-8 as RFC 6266 and RFC 5987 say. Never holds a line break.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#serving-inline-content
 */
export function contentDisposition(contentType: string, fileName: string | null): string {
  const kind = mayBeInline(contentType) ? 'inline' : 'attachment'
  const name = storedFileName(fileName)
  if (name === null) return kind
  if (PLAIN.test(name)) return `${kind}; filename=${name}`
  if (PRINTABLE_ASCII.test(name)) {
    return `${kind}; filename="${name.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
  }
  return `${kind}; filename*=utf-8''${percentEncode(name)}`
}

/** The file name in another server's header, or null. `filename*` in UTF-8 goes before `filename`. */
export function fileNameFrom(header: string | undefined): string | null {
  if (header === undefined) return null
  const parsed = parseHeaderParameters(header)
  if (parsed === undefined) return null
  const extended = parsed.parameters.get('filename*')
  if (extended !== undefined) {
    const [charset, , ...rest] = extended.split("'")
    if (charset?.toLowerCase() === 'utf-8' && rest.length > 0) {
      try {
        return storedFileName(decodeURIComponent(rest.join("'")))
      } catch {
        // Not percent-encoded UTF-8 after all: the plain name is left.
      }
    }
  }
  return storedFileName(parsed.parameters.get('filename'))
}
