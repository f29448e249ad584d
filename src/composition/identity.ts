import type { Signer } from '../platform/ed25519.js'
import { authorizationHeader } from '../services/federation/x-matrix.js'
import { createBindings, type Bindings } from '../services/identity/bindings.js'
import {
  createIdentityServers,
  type Address,
  type IdentityServers,
} from '../services/identity/identity-servers.js'
import { whereabouts, type AddressProof, type Whereabouts } from '../services/member-identity/whereabouts.js'
import type { Threepids } from '../services/threepids/threepids.js'
import { addressHomes } from './address-rules.js'
import type { MemberIdentity } from '../services/member-identity/member-identity.js'
import { buildMemberIdentity, ownNames, withMembers } from './member-identity.js'

export interface IdentityParts {
  /** The invitation of an address was taken back. */
  tellWithdrawn(token: string): Promise<void>
  whereabouts(address: string, proof: AddressProof): Promise<Whereabouts>
  /** The server of an address, by the node list; undefined where another identity server is asked. */
  homeOf(idServer: string, address: Address): string | undefined
  /** The servers of the circle as one identity server. */
  readonly memberIdentity: MemberIdentity | undefined
  readonly identity: IdentityServers
  readonly bindings: Bindings
}

/** What has to do with identity servers. */
export function buildIdentity(
  deps: Parameters<typeof buildMemberIdentity>[0] & {
    readonly signer: Signer
    readonly threepids: Threepids
    /** The new account of somebody who has moved away. */
    readonly movedTo: (userId: string) => Promise<string | undefined>
  },
): IdentityParts {
  const { config, signer } = deps
  const origin = config.server_name
  const memberIdentity = buildMemberIdentity(deps)
  const servers = createIdentityServers({
    http: deps.transport.http,
    logger: deps.logger,
    signRequest: (destination, uri, content) =>
      authorizationHeader({ method: 'POST', uri, origin, destination, content }, signer),
    trusted: config.identity_servers.trusted,
  })
  const identity = withMembers(servers, memberIdentity, config)
  const isOwn = ownNames(config)
  return {
    homeOf: (idServer, { address }) =>
      isOwn(idServer) ? memberIdentity?.homeOf(address).serverName : undefined,
    whereabouts: (address, proof) =>
      whereabouts(
        {
          serverName: origin,
          threepids: deps.threepids,
          members: memberIdentity,
          homeOf: addressHomes(config, deps.nodeList),
          movedTo: deps.movedTo,
        },
        address,
        proof,
      ),
    tellWithdrawn: async (token) => await memberIdentity?.tellWithdrawn(token),
    identity,
    memberIdentity,
    bindings: createBindings({ ...deps, identity }),
  }
}
