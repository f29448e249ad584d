import { MatrixError } from '../../../core/errors.js'
import type { AccountValidity } from '../../../services/account-validity/account-validity.js'

/** Throws M_UNRECOGNIZED where accounts do not expire. */
export function offered(validity: AccountValidity | undefined): AccountValidity {
  if (validity === undefined) throw new MatrixError('M_UNRECOGNIZED', 'Accounts do not expire here', {}, 404)
  return validity
}
