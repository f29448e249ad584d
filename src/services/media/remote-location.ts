import { MatrixError } from '../../core/errors.js'
import { parseServerName } from '../../core/ids/server-name.js'

const MAX_LOCATION = 2048
const INTERNAL = ['.localhost', '.local', '.internal', '.intranet', '.lan', '.home.arpa']

/**
 * Checks the URL from which another server wants us to fetch a medium: HTTPS, no credentials, the usual port, and a
 * host that has a public name. Storage that is reached by a bare address is never needed, so addresses are refused
 * altogether; names that resolve to private ones are refused when connecting.
 * Throws M_UNKNOWN with status 502.
 */
export function checkedLocation(location: string): URL {
  const refused = new MatrixError(
    'M_UNKNOWN',
    'The other server points to a place that is not allowed',
    {},
    502,
  )
  if (location.length > MAX_LOCATION || !URL.canParse(location)) throw refused
  const url = new URL(location)
  const host = url.hostname.toLowerCase().replace(/\.$/, '')
  if (url.protocol !== 'https:' || url.username !== '' || url.password !== '' || url.port !== '')
    throw refused
  // The URL parser has already turned 0x7f.1 and 2130706433 into dotted addresses.
  if (parseServerName(host)?.kind !== 'dns' || !host.includes('.')) throw refused
  if (INTERNAL.some((suffix) => host.endsWith(suffix))) throw refused
  return url
}
