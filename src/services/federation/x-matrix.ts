import { isServerName } from '../../core/ids/server-name.js'
import { tryCanonicalJson } from '../../core/json/canonical.js'
import type { Json } from '../../core/json/value.js'
import type { Signer } from '../../platform/ed25519.js'

/** What an `Authorization: X-Matrix` header says. Nothing of it is verified. */
export interface XMatrix {
  readonly origin: string
  /** Absent from servers older than version 1.3 of the specification. */
  readonly destination: string | undefined
  readonly keyId: string
  readonly signature: string
}

export interface RequestLine {
  readonly method: string
  /** Path and query exactly as they travel, from `/_matrix/` on. */
  readonly uri: string
  readonly origin: string
  readonly destination: string
}

export interface RequestToSign extends RequestLine {
  /** The JSON body; undefined for requests without one. */
  readonly content: Json | undefined
}

const ENCODER = new TextEncoder()

/**
 * The bytes that the signature of a request covers; undefined where the content has no canonical form.
 * Numbers that only old room versions allow are written as the reference implementation writes them, because
 * transactions carry such events too.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#request-authentication
 */
export function requestBytes(request: RequestToSign): Uint8Array | undefined {
  if (request.content === undefined) return signedBytes(request, undefined)
  const content = tryCanonicalJson(request.content, 'lenient')
  return content.ok ? signedBytes(request, content.text) : undefined
}

/** `content`: its canonical form. */
function signedBytes(request: RequestLine, content: string | undefined): Uint8Array | undefined {
  const { method, uri, origin, destination } = request
  const rest = tryCanonicalJson({ destination, method, origin, uri })
  if (!rest.ok) return undefined
  // In canonical order the content comes before all others.
  return ENCODER.encode(content === undefined ? rest.text : `{"content":${content},${rest.text.slice(1)}`)
}

/** The `Authorization` header of one of our requests; undefined where the content has no canonical form. */
export function authorizationHeader(
  request: RequestToSign,
  signer: Pick<Signer, 'keyId' | 'sign'>,
): string | undefined {
  return headerOf(request, requestBytes(request), signer)
}

/** The same for a body that is written already, in its canonical form. */
export function authorizationOfText(
  request: RequestLine,
  content: string | undefined,
  signer: Pick<Signer, 'keyId' | 'sign'>,
): string | undefined {
  return headerOf(request, signedBytes(request, content), signer)
}

function headerOf(
  { origin, destination }: RequestLine,
  bytes: Uint8Array | undefined,
  signer: Pick<Signer, 'keyId' | 'sign'>,
): string | undefined {
  if (bytes === undefined) return undefined
  return `X-Matrix origin="${origin}",destination="${destination}",key="${signer.keyId}",sig="${signer.sign(bytes)}"`
}

/** Longer than any header made of two server names, a key id and a signature. */
const MAX_HEADER = 4_096
const MAX_PARAMETERS = 32
const NAME = /[!#$%&'*+.^_`|~0-9A-Za-z-]/
/** Characters of an unquoted value: those of a token, and what old servers leave unquoted. */
const BARE = /[!#$%&'*+.^_`|~0-9A-Za-z:/=[\]-]/
const PRINTABLE = /^[\t\x20-\x7e]*$/

/**
 * Parses one header value; undefined where it is not X-Matrix, lacks a parameter, names one twice, or is malformed.
 * Names are case-insensitive, values may be quoted, unknown parameters are passed over.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#request-authentication
 */
export function parseXMatrix(header: string): XMatrix | undefined {
  if (header.length > MAX_HEADER || !PRINTABLE.test(header)) return undefined
  if (header.slice(0, 8).toLowerCase() !== 'x-matrix' || header[8] !== ' ') return undefined
  const parameters = parseParameters(header.slice(9))
  if (parameters === undefined) return undefined
  const origin = parameters.get('origin')
  const destination = parameters.get('destination')
  const keyId = parameters.get('key')
  // The specification's list says `signature` where its example, and every server, says `sig`.
  const signature = parameters.get('sig')
  if (origin === undefined || keyId === undefined || signature === undefined) return undefined
  return isServerName(origin) ? { origin, destination, keyId, signature } : undefined
}

/** `name=value` pairs between commas; each character is looked at once. */
function parseParameters(text: string): Map<string, string> | undefined {
  const parameters = new Map<string, string>()
  let at = 0
  const skip = (): void => {
    while (text[at] === ' ' || text[at] === '\t') at++
  }
  const take = (characters: RegExp): string => {
    const start = at
    while (at < text.length && characters.test(text[at]!)) at++
    return text.slice(start, at)
  }
  for (;;) {
    skip()
    const name = take(NAME).toLowerCase()
    if (name === '' || text[at] !== '=') return undefined
    at++
    let value: string | undefined
    if (text[at] === '"') {
      at++
      const quoted = parseQuoted(text, at)
      if (quoted === undefined) return undefined
      value = quoted.value
      at = quoted.end
    } else {
      value = take(BARE)
    }
    if (parameters.has(name) || parameters.size === MAX_PARAMETERS) return undefined
    parameters.set(name, value)
    skip()
    if (at === text.length) return parameters
    if (text[at] !== ',') return undefined
    at++
  }
}

function parseQuoted(text: string, start: number): { value: string; end: number } | undefined {
  let value = ''
  for (let at = start; at < text.length; at++) {
    if (text[at] === '"') return { value, end: at + 1 }
    if (text[at] === '\\' && ++at === text.length) return undefined
    value += text[at]
  }
  return undefined
}
