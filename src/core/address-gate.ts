import { canonicalEmail, isTagged } from './ids/email-address.js'

/** Where an address belongs. */
export interface AddressHome {
  readonly serverName: string
}

/** Why an account cannot have an address; the words are for the person, `reason` for the helpdesk. */
export interface GateRefusal {
  readonly reason: 'address.form' | 'address.tag' | 'address.nobody' | 'address.elsewhere'
  readonly message: string
  /** The server that it belongs to. */
  readonly home?: string
}

/**
 * Whether accounts of `serverName` may have an address, as far as everybody may know. Undefined: they may. Whether somebody was invited is
 * nobody's business but the mailbox's, and no part of it.
 */
export function judgeAddress(
  address: string,
  rules: {
    readonly serverName: string
    readonly allowTags: boolean
    homeOf(address: string): AddressHome | undefined
  },
): GateRefusal | undefined {
  const canonical = canonicalEmail(address)
  if (canonical === undefined)
    return { reason: 'address.form', message: 'This is not an e-mail address of a form that is accepted' }
  if (!rules.allowTags && isTagged(canonical))
    return {
      reason: 'address.tag',
      message: 'Write your address without the part that begins with a plus sign',
    }
  const home = rules.homeOf(canonical)
  if (home === undefined)
    return {
      reason: 'address.nobody',
      message: 'Your administration is not here yet: no server is for addresses of this domain',
    }
  if (home.serverName === rules.serverName) return undefined
  return {
    reason: 'address.elsewhere',
    message: `This address belongs to another server, ${home.serverName}: make your account there`,
    home: home.serverName,
  }
}
