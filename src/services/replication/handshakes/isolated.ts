import { MatrixError } from '../../../core/errors.js'
import type { RemoteMemberships } from '../../rooms/remote-memberships.js'

const alone = (): Promise<never> =>
  Promise.reject(new MatrixError('M_FORBIDDEN', 'This server does not federate with others'))

/** For a node with federation switched off. */
export const isolatedMemberships: RemoteMemberships = {
  join: alone,
  leave: alone,
  knock: alone,
  invite: alone,
  resolveAlias: () =>
    Promise.reject(new MatrixError('M_NOT_FOUND', 'This server does not federate with others')),
}
