import { canonicalEmail } from '../../core/ids/email-address.js'
import type { Address } from './identity-servers.js'

/** The address in canonical form, as identity servers hash it; undefined for what is none. */
export function canonicalAddress(medium: string, address: string): Address | undefined {
  if (medium === 'email') {
    const email = canonicalEmail(address)
    return email === undefined ? undefined : { medium, address: email }
  }
  if (medium === 'msisdn') return /^[1-9][0-9]{4,14}$/.test(address) ? { medium, address } : undefined
  return undefined
}
