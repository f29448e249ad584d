import type { Act } from '../../core/audit/acts.js'
import { MatrixError } from '../../core/errors.js'
import { inUseMail, uninvitedMail, unknownMail } from './messages.js'

/** For what an administration manages itself. */
export const locked = (): MatrixError =>
  new MatrixError('M_FORBIDDEN', 'Your e-mail address is managed by your administration', {
    reason: 'address.locked',
  })
export const inUse = (): MatrixError =>
  new MatrixError('M_THREEPID_IN_USE', 'An account has this address already')

/** What a mailbox is told, or the asker where addresses are not hidden. */
export const REFUSALS = {
  unknown: {
    mail: unknownMail,
    error: () => new MatrixError('M_THREEPID_NOT_FOUND', 'No account has this address'),
  },
  inUse: { mail: inUseMail, error: inUse },
  uninvited: {
    mail: uninvitedMail,
    error: () =>
      new MatrixError('M_THREEPID_DENIED', 'An account on this server takes an invitation', {
        reason: 'address.invitation',
      }),
  },
} as const

/** An address that may have no account here; who asked is not known. */
export const addressRefused = (reason: string): Act => ({
  act: 'policy.refused',
  by: { kind: 'server' },
  outcome: 'M_THREEPID_DENIED',
  reason,
})
