import type { Config } from '../config/schema.js'
import type { Transport } from '../services/federation/transport.js'
import type { Arrivals } from '../services/replication/handshakes/arrivals.js'
import { isolatedMemberships } from '../services/replication/handshakes/isolated.js'
import { createRemoteMemberships } from '../services/replication/handshakes/membership-handshakes.js'
import type { PduIntake } from '../services/replication/peers/pdu-intake.js'
import type { RoomsContext } from '../services/rooms/context.js'
import type { OutsideMemberships } from '../services/rooms/outside-memberships.js'
import type { RemoteMemberships } from '../services/rooms/remote-memberships.js'

/** How people of this server come into rooms that are elsewhere, and leave them. */
export function buildHandshakes({
  config,
  transport,
  ...base
}: {
  readonly config: Config
  readonly context: RoomsContext
  readonly transport: Transport
  readonly intake: PduIntake
  readonly outside: OutsideMemberships
  readonly arrivals: Arrivals
}): RemoteMemberships {
  if (!config.federation.enabled) return isolatedMemberships
  const { client, keys } = transport
  return createRemoteMemberships({
    ...base,
    client,
    keys,
    options: {
      requestTimeoutMs: config.federation.timeouts.request,
      joinTimeoutMs: config.federation.timeouts.join,
      fasterJoins: config.federation.faster_joins,
    },
  })
}
