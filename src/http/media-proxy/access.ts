import type { MediaAccess } from '../../services/media/media.js'
import { DEFAULT_TIMEOUT_MS } from '../media/media-query.js'

/** A user of this server, who waits for an announced upload as on the ordinary endpoints. */
export const scannerAccess = (signal: AbortSignal, timeoutMs = DEFAULT_TIMEOUT_MS): MediaAccess => ({
  by: 'user',
  allowRemote: true,
  timeoutMs,
  signal,
})

export const scanner = (path: string): string[] => [`/_matrix/media_proxy/unstable${path}`]
