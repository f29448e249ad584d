import { buffer } from 'node:stream/consumers'
import type { Readable } from 'node:stream'
import { compileGlob } from '../../core/glob.js'
import type { OutboundHttp } from '../federation/outbound-http.js'

export interface UrlRules {
  /** Globs of host names; undefined: all. */
  readonly allow: readonly string[] | undefined
  readonly deny: readonly string[]
}

export interface Fetched {
  readonly url: URL
  /** In lower case, without parameters. */
  readonly type: string
  readonly contentType: string
  /** At most so many bytes as were asked for; more are left unread. */
  readonly bytes: Buffer
  readonly isWhole: boolean
}

export interface UrlFetcher {
  /** Whether an address is one that may be asked at all. */
  isAllowed(url: URL): boolean
  /**
   * Gets an address and what it redirects to, each hop by the rules and, where it connects, by the address policy. Undefined for all that
   * is no answer to work with: why is nobody's business who may be looking for what there is inside.
   */
  get(url: URL, options: { readonly accept: string; readonly maxBytes: number }): Promise<Fetched | undefined>
}

const MAX_REDIRECTS = 5
const REDIRECTS = new Set([301, 302, 303, 307, 308])
/** An answer that says it has more than this is not even begun. */
const MAX_ANNOUNCED = 2 ** 30

export function createUrlFetcher(deps: {
  readonly http: Pick<OutboundHttp, 'stream'>
  readonly rules: UrlRules
  /** Of all hops together. */
  readonly timeoutMs: number
  readonly monotonic: () => number
}): UrlFetcher {
  const { http, timeoutMs } = deps
  const allow = deps.rules.allow?.map((pattern) => compileGlob(pattern))
  const deny = deps.rules.deny.map((pattern) => compileGlob(pattern))

  function isAllowed(url: URL): boolean {
    const host = url.hostname.replace(/\.$/, '')
    const isWeb = url.protocol === 'https:' || url.protocol === 'http:'
    if (!isWeb || url.username !== '' || url.password !== '' || host === '') return false
    return !deny.some((matches) => matches(host)) && (allow?.some((matches) => matches(host)) ?? true)
  }

  /** Where a redirect leads; undefined where it must not be followed. */
  function target(location: string, from: URL): URL | undefined {
    if (!URL.canParse(location, from.href)) return undefined
    const next = new URL(location, from)
    const isWeaker = from.protocol === 'https:' && next.protocol !== 'https:'
    return isWeaker || !isAllowed(next) ? undefined : next
  }

  async function get(
    start: URL,
    { accept, maxBytes }: { accept: string; maxBytes: number },
  ): Promise<Fetched | undefined> {
    const end = deps.monotonic() + timeoutMs
    let url: URL | undefined = start
    for (let hop = 0; hop <= MAX_REDIRECTS && url !== undefined; hop++) {
      if (!isAllowed(url)) return undefined
      const answer = await http.stream({
        url: url.href,
        allowHttp: url.protocol === 'http:',
        timeoutMs: Math.max(1, end - deps.monotonic()),
        maxBytes: MAX_ANNOUNCED,
        // What is not packed cannot unpack to more than it is.
        headers: { accept, 'accept-encoding': 'identity', 'accept-language': 'en, *;q=0.5' },
      })
      const location = answer.headers.get('location')
      if (REDIRECTS.has(answer.status) && location !== undefined) {
        answer.body.destroy()
        url = target(location, url)
        continue
      }
      const encoding = answer.headers.get('content-encoding') ?? 'identity'
      if (answer.status !== 200 || encoding.trim().toLowerCase() !== 'identity') {
        answer.body.destroy()
        return undefined
      }
      const contentType = answer.headers.get('content-type') ?? ''
      const type = contentType.split(';', 1)[0]!.trim().toLowerCase()
      return { url, type, contentType, ...(await firstBytes(answer.body, maxBytes)) }
    }
    return undefined
  }

  return { isAllowed, get }
}

async function firstBytes(body: Readable, max: number): Promise<{ bytes: Buffer; isWhole: boolean }> {
  let size = 0
  async function* limited(): AsyncGenerator<Buffer> {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      const rest = max - size
      size += chunk.length
      yield chunk.subarray(0, rest)
      if (size > max) return
    }
  }
  try {
    return { bytes: await buffer(limited()), isWhole: size <= max }
  } finally {
    body.destroy()
  }
}
