import { compileGlob } from '../glob.js'
import { canonicalEmail, emailDomain } from '../ids/email-address.js'
import { hasLeft, type Member } from './types.js'

/** What routing asks of a member. */
export type Routed = Pick<Member, 'serverName' | 'email' | 'leftAt'>

/** Finds the member to whom an e-mail address belongs. */
export interface EmailRouting<M extends Routed = Member> {
  /** Undefined for an address that is none, or that is nobody's. */
  memberOf(address: string, now: number): M | undefined
}

interface Pattern<M> {
  readonly member: M
  /** `undefined`: any local part. */
  readonly local: ((local: string) => boolean) | undefined
  /** The domain; with `below` all domains under it, and not itself. */
  readonly domain: string
  readonly below: boolean
}

/**
 * The rules of all members, most particular first: patterns of an exact domain that name a local part, exact domains, patterns of domains
 * below one, the longest first; then the fallback. Between equals the order of the list decides, so that all nodes give one answer.
 * A look-up takes time with the labels of the address and the patterns of these domains, not with the members.
 */
export function emailRouting<M extends Routed>(members: readonly M[]): EmailRouting<M> {
  const exact = new Map<string, Pattern<M>[]>()
  const below = new Map<string, Pattern<M>[]>()
  const add = (index: Map<string, Pattern<M>[]>, pattern: Pattern<M>): void => {
    const known = index.get(pattern.domain)
    if (known === undefined) index.set(pattern.domain, [pattern])
    else known.push(pattern)
  }
  for (const member of members) {
    for (const domain of member.email.domains) add(exact, { member, local: undefined, domain, below: false })
    for (const text of member.email.patterns) {
      const [local = '', host = ''] = text.split('@')
      const isBelow = host.startsWith('*.')
      add(isBelow ? below : exact, {
        member,
        local: local === '*' ? undefined : compileGlob(local),
        domain: isBelow ? host.slice(2) : host,
        below: isBelow,
      })
    }
  }
  // Those that name a local part come first; the sort keeps the order of the list otherwise.
  for (const index of [exact, below])
    for (const patterns of index.values())
      patterns.sort((a, b) => Number(a.local === undefined) - Number(b.local === undefined))
  const fallbacks = members.filter((member) => member.email.fallback)

  return {
    memberOf(address, now) {
      const email = canonicalEmail(address)
      if (email === undefined) return undefined
      const local = email.slice(0, email.indexOf('@'))
      const domain = emailDomain(email)
      const matching = (patterns: readonly Pattern<M>[] = []): M | undefined =>
        patterns.find((pattern) => !hasLeft(pattern.member, now) && (pattern.local?.(local) ?? true))?.member
      let found: M | undefined = matching(exact.get(domain))
      for (
        let dot = domain.indexOf('.');
        found === undefined && dot >= 0;
        dot = domain.indexOf('.', dot + 1)
      ) {
        found = matching(below.get(domain.slice(dot + 1)))
      }
      return found ?? fallbacks.find((member) => !hasLeft(member, now))
    },
  }
}
