import { judgeAddress, type AddressHome } from '../../core/address-gate.js'
import { MatrixError } from '../../core/errors.js'
import type { Tx } from '../../storage/tx.js'

/** Whose e-mail addresses may have an account of this server. */
export interface AddressGate {
  /** Throws M_THREEPID_DENIED with a `reason`, and with `home` where the address belongs to another server: what everybody may know. */
  check(address: string): void
  /** Whether a new account may have the address, as far as invitations go. Only its mailbox is told. Pre: canonical. */
  isInvited(address: string): Tx<boolean>
}

export interface AddressGateDeps {
  readonly serverName: string
  readonly allowTags: boolean
  homeOf(address: string): AddressHome | undefined
  /** Whether a new account takes an invitation, at this moment. */
  takesInvitation(): boolean
  hasInvitation(address: string): Tx<boolean>
  /** Told of every address that is refused. */
  onRefused?(reason: string): void
}

export function createAddressGate(deps: AddressGateDeps): AddressGate {
  return {
    check(address) {
      const refusal = judgeAddress(address, deps)
      if (refusal === undefined) return
      deps.onRefused?.(refusal.reason)
      const { message, ...extra } = refusal
      throw new MatrixError('M_THREEPID_DENIED', message, extra)
    },
    *isInvited(address) {
      return !deps.takesInvitation() || (yield* deps.hasInvitation(address))
    },
  }
}
