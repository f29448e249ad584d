import { Readable } from 'node:stream'
import { FederationError, type FederationClient } from '../federation/client.js'
import type { OutboundHttp } from '../federation/outbound-http.js'
import type { FetchRemote, FetchUrl } from './remote-answer.js'

/** What a media answer has besides the medium: delimiters, part headers, metadata. */
const OVERHEAD_BYTES = 256 * 1024

/**
 * Fetches media with the federation client. That one throws for error answers; here they are answers again, since
 * their errcode decides whether the older endpoint is tried.
 */
export function federationFetch(
  client: Pick<FederationClient, 'requestStream'>,
  options: { readonly maxRemoteBytes: number; readonly remoteTimeoutMs: number },
): FetchRemote {
  return async (destination, path, { signal }) => {
    try {
      const answer = await client.requestStream({
        destination,
        method: 'GET',
        path,
        timeoutMs: options.remoteTimeoutMs,
        maxBytes: options.maxRemoteBytes + OVERHEAD_BYTES,
        signal,
      })
      return { status: answer.status, headers: Object.fromEntries(answer.headers), body: answer.body }
    } catch (error) {
      if (!(error instanceof FederationError) || error.kind !== 'status' || error.status === undefined) {
        throw error
      }
      const body = error.errcode === undefined ? '' : JSON.stringify({ errcode: error.errcode })
      return { status: error.status, headers: {}, body: Readable.from([Buffer.from(body)]) }
    }
  }
}

/** Fetches media that another server keeps elsewhere. The connections refuse private addresses; no redirect is followed. */
export function outboundFetch(
  outbound: Pick<OutboundHttp, 'stream'>,
  options: { readonly maxRemoteBytes: number; readonly remoteTimeoutMs: number },
): FetchUrl {
  return async (url, { signal }) => {
    const answer = await outbound.stream({
      url: url.href,
      timeoutMs: options.remoteTimeoutMs,
      maxBytes: options.maxRemoteBytes,
      signal,
    })
    return { status: answer.status, headers: Object.fromEntries(answer.headers), body: answer.body }
  }
}
