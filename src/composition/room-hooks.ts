import type { E2ee } from '../services/e2ee/e2ee.js'
import type { NodeMetrics } from '../services/node-metrics.js'
import type { RoomsPartsDeps } from './rooms.js'

/** What follows from events of rooms for encryption and for the metrics. */
export const roomHooks = (
  e2ee: E2ee,
  nodeMetrics: NodeMetrics | undefined,
): Pick<RoomsPartsDeps, 'memberHooks' | 'onStored'> => ({
  onStored(ours, others) {
    if (ours > 0) nodeMetrics?.onSent(ours)
    if (others > 0) nodeMetrics?.onReceived(others)
  },
  memberHooks: {
    remoteUsersLeft: e2ee.onRemoteUsersLeft,
    roomLeft: e2ee.onRoomLeft,
    localUserJoined: e2ee.onLocalUserJoined,
  },
})
