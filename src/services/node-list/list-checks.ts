import { X509Certificate } from 'node:crypto'
import type { ListChecks } from '../../core/node-list/parse-member.js'
import { publicKey } from '../../platform/ed25519.js'

/** The checks of a node list's form that core cannot make by itself. */
export const listChecks: ListChecks = {
  isPublicKey: (text) => publicKey(text) !== undefined,
  isCertificate(pem) {
    // Of several, Node reads the first alone, and TLS would trust them all.
    if (pem.split('-----BEGIN ').length !== 2) return false
    try {
      return new X509Certificate(pem).publicKey.asymmetricKeyType !== undefined
    } catch {
      return false
    }
  },
}
