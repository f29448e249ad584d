import type { Readable } from 'node:stream'

/** An HTTP answer whose body has not been read. Header names are lower case. */
export interface RemoteAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: Readable
}

/** A signed GET to a server of the federation; `path` has its query. Does not follow redirects. */
export type FetchRemote = (
  destination: string,
  path: string,
  options: { readonly signal: AbortSignal },
) => Promise<RemoteAnswer>

/**
 * An unsigned GET to a URL that another server named. It must refuse to connect to addresses that are not public,
 * and must not follow redirects.
 */
export type FetchUrl = (url: URL, options: { readonly signal: AbortSignal }) => Promise<RemoteAnswer>

/** The one value of a header; undefined when it is absent or there are several. */
export function header(answer: RemoteAnswer, name: string): string | undefined {
  const value = answer.headers[name]
  if (typeof value === 'string') return value
  return value?.length === 1 ? value[0] : undefined
}

const MAX_ERROR_BODY = 16 * 1024

/** The errcode of an error answer; undefined when it is not a Matrix error. */
export async function errcodeOf(answer: RemoteAnswer): Promise<string | undefined> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of answer.body as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength
    if (size > MAX_ERROR_BODY) return undefined
    chunks.push(chunk)
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks, size).toString('utf8'))
    if (typeof value !== 'object' || value === null || !('errcode' in value)) return undefined
    return typeof value.errcode === 'string' ? value.errcode : undefined
  } catch {
    return undefined
  }
}
