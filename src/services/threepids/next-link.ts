const MAX_LINK = 2_048

const parsed = (text: string): URL | undefined => (URL.canParse(text) ? new URL(text) : undefined)

/**
 * The link if it lies at or below one of the allowed addresses, else undefined: a person is sent only where the operator says, as a page
 * of this server that leads anywhere is a gift to those who steal passwords.
 * NOTSPEC: a link that is not allowed is left out, not refused, since clients send one without being asked and work without.
 */
export function allowedLink(link: string | undefined, allowed: readonly string[]): string | undefined {
  if (link === undefined || link.length > MAX_LINK) return undefined
  const url = parsed(link)
  if (url === undefined || url.username !== '' || url.password !== '') return undefined
  const isBelow = allowed.some((text) => {
    const base = parsed(text)
    if (base === undefined || url.origin === 'null' || url.origin !== base.origin) return false
    const folder = base.pathname.endsWith('/') ? base.pathname : `${base.pathname}/`
    return url.pathname === base.pathname || url.pathname.startsWith(folder)
  })
  return isBelow ? url.href : undefined
}
