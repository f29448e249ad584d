/**
 * The types that browsers may show in place. Nothing on this list can run script in the origin of the server.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#serving-inline-content
 */
const INLINE: ReadonlySet<string> = new Set([
  'text/css',
  'text/plain',
  'text/csv',
  'application/json',
  'application/ld+json',
  'image/jpeg',
  'image/gif',
  'image/png',
  'image/apng',
  'image/webp',
  'image/avif',
  'video/mp4',
  'video/webm',
  'video/ogg',
  'video/quicktime',
  'audio/mp4',
  'audio/webm',
  'audio/aac',
  'audio/mpeg',
  'audio/ogg',
  'audio/wave',
  'audio/wav',
  'audio/x-wav',
  'audio/x-pn-wav',
  'audio/flac',
  'audio/x-flac',
])

export const UNKNOWN_TYPE = 'application/octet-stream'
const MAX_TYPE = 255

/** The media type without parameters, trimmed and in lower case: what decisions go by. */
export function essence(contentType: string): string {
  const semicolon = contentType.indexOf(';')
  return (semicolon === -1 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase()
}

/** Whether a browser may show it in place. Decided on the type alone: a parameter may say anything. */
export const mayBeInline = (contentType: string): boolean => INLINE.has(essence(contentType))

/**
 * The declared type as it is kept and served again: unchanged when it is printable ASCII of the form `a/b…`,
 * otherwise the type of unknown bytes. Never refused, since many clients send none or nonsense.
 */
export function storedContentType(declared: string | undefined): string {
  if (declared === undefined || declared.length > MAX_TYPE) return UNKNOWN_TYPE
  for (let i = 0; i < declared.length; i++) {
    const code = declared.charCodeAt(i)
    if (code < 0x20 || code > 0x7e) return UNKNOWN_TYPE
  }
  const [type, subtype, ...rest] = essence(declared).split('/')
  if (!isToken(type) || !isToken(subtype) || rest.length > 0) return UNKNOWN_TYPE
  return declared.trim()
}

const isToken = (text: string | undefined): boolean =>
  text !== undefined && /^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(text)
