import { invalidParam } from '../../core/errors.js'
import { isMediaId } from '../../core/ids/mxc-uri.js'
import { isServerName } from '../../core/ids/server-name.js'

/**
 * Refuses names that could be taken for a path or for another host.
 * Throws M_INVALID_PARAM.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#content-repo-security-considerations
 */
export function checkMxc(origin: string, mediaId: string): void {
  if (!isServerName(origin)) throw invalidParam('The server name is not valid')
  if (!isMediaId(mediaId)) throw invalidParam('The media id is not valid')
}

export const mxcUri = (origin: string, mediaId: string): string => `mxc://${origin}/${mediaId}`
