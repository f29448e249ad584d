/** Characters of an unquoted local part (RFC 5322 `atext`). */
const ATOM = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+$/
const LABEL = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/

const MAX_ADDRESS = 254
const MAX_LOCAL = 64

/**
 * The canonical form of an e-mail address, in lower case; undefined for everything else. Stricter than mail allows: no display name,
 * no quoted local part, no comment, no address literal, ASCII only, so that two readers cannot find two domains in one address.
 * SPEC: https://spec.matrix.org/v1.19/appendices/#e-mail
 */
export function canonicalEmail(text: string): string | undefined {
  if (text.length > MAX_ADDRESS) return undefined
  const parts = text.split('@')
  const [local, domain] = parts
  if (parts.length !== 2 || local === undefined || domain === undefined || local.length > MAX_LOCAL)
    return undefined
  if (!local.split('.').every((atom) => ATOM.test(atom))) return undefined
  const labels = domain.split('.')
  if (labels.length < 2 || !labels.every((label) => LABEL.test(label))) return undefined
  // A top-level domain of digits alone would be an IP address.
  if (/^[0-9]+$/.test(labels.at(-1)!)) return undefined
  return text.toLowerCase()
}

/** Whether the local part has a tag, `anne+tag@`: another spelling of one mailbox. Pre: canonical. */
export const isTagged = (address: string): boolean => address.slice(0, address.indexOf('@')).includes('+')

/** Pre: canonical. */
export const emailDomain = (address: string): string => address.slice(address.indexOf('@') + 1)
