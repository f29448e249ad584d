import { isServerName } from './server-name.js'

export interface MxcUri {
  readonly serverName: string
  readonly mediaId: string
}

const MEDIA_ID = /^[A-Za-z0-9_-]{1,255}$/

/**
 * A media id: letters, digits, `_` and `-`. Anything else is refused, so that a media id is safe as part of a path.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#matrix-content-mxc-uris
 */
export const isMediaId = (text: string): boolean => MEDIA_ID.test(text)

/** Parses `mxc://server/media`. */
export function parseMxcUri(text: string): MxcUri | undefined {
  if (!text.startsWith('mxc://') || text.length > 600) return undefined
  const slash = text.indexOf('/', 6)
  if (slash < 0) return undefined
  const serverName = text.slice(6, slash)
  const mediaId = text.slice(slash + 1)
  return isServerName(serverName) && isMediaId(mediaId) ? { serverName, mediaId } : undefined
}
export const isMxcUri = (text: string): boolean => parseMxcUri(text) !== undefined
