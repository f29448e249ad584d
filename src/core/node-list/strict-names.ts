import { parseServerName } from '../ids/server-name.js'

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

const isStrictDns = (text: string): boolean =>
  text.length <= 253 && text.split('.').every((label) => LABEL.test(label) && !label.startsWith('xn--'))

/**
 * A server name as a node list spells it: what Matrix allows, in lower case, without a final dot, its labels as DNS has them, and none that
 * stands for letters of another alphabet, so that no two members can look the same to whoever signs.
 */
export function isListedServerName(text: string): boolean {
  const name = parseServerName(text)
  if (name === undefined || text !== text.toLowerCase() || name.port === 0) return false
  return name.kind !== 'dns' || isStrictDns(name.host)
}

/** The domain of e-mail addresses, as strict: at least two labels, and no address. */
export function isEmailDomain(text: string): boolean {
  const labels = text.split('.')
  return labels.length >= 2 && isStrictDns(text) && !/^[0-9]+$/.test(labels.at(-1) ?? '')
}

const LOCAL = /^[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}$/

/** `LOCAL@DOMAIN`; see `MemberEmail.patterns`. In lower case, as addresses are compared. */
export function isEmailPattern(text: string): boolean {
  const parts = text.split('@')
  const [local, domain] = parts
  if (parts.length !== 2 || local === undefined || domain === undefined || !LOCAL.test(local)) return false
  return isEmailDomain(domain.startsWith('*.') ? domain.slice(2) : domain)
}
