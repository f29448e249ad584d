import type { Config } from '../config/schema.js'
import type { Signer } from '../platform/ed25519.js'
import type { Logger } from '../platform/logger.js'
import type { Transport } from '../services/federation/transport.js'
import { authorizationHeader } from '../services/federation/x-matrix.js'
import { createBindings, type Bindings } from '../services/identity/bindings.js'
import { createIdentityServers, type IdentityServers } from '../services/identity/identity-servers.js'
import type { Store } from '../storage/tx.js'

export interface IdentityParts {
  readonly identity: IdentityServers
  readonly bindings: Bindings
}

/** What has to do with identity servers. A node that is one itself would stand in for `identity`. */
export function buildIdentity(deps: {
  readonly config: Config
  readonly store: Store
  readonly logger: Logger
  readonly transport: Transport
  readonly signer: Signer
}): IdentityParts {
  const { config, signer } = deps
  const origin = config.server_name
  const identity = createIdentityServers({
    http: deps.transport.http,
    logger: deps.logger,
    signRequest: (destination, uri, content) =>
      authorizationHeader({ method: 'POST', uri, origin, destination, content }, signer),
    trusted: config.identity_servers.trusted,
  })
  return { identity, bindings: createBindings({ ...deps, identity }) }
}
