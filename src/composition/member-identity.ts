import type { Config } from '../config/schema.js'
import type { Json } from '../core/json/value.js'
import type { Clock } from '../platform/clock.js'
import type { Logger } from '../platform/logger.js'
import type { Random } from '../platform/random.js'
import type { AuditTrail } from '../services/audit/trail.js'
import { fetchJson } from '../services/federation/fetch-json.js'
import type { Transport } from '../services/federation/transport.js'
import type { Address, IdentityServers } from '../services/identity/identity-servers.js'
import type { Mailer } from '../services/mail/mailer.js'
import { createAddressIndex } from '../services/member-identity/address-index.js'
import {
  createKeptInvites,
  type KeptInvites,
  type KeptInvitesDeps,
} from '../services/member-identity/kept-invites.js'
import { createMemberIdentity, type MemberIdentity } from '../services/member-identity/member-identity.js'
import type { NodeListService } from '../services/node-list/node-list.js'
import { MatrixError } from '../core/errors.js'
import { withdrawnOffers } from '../services/rooms/withdrawn-offers.js'
import type { WorkingRoom } from '../services/rooms/working-room.js'
import type { Store, Tx } from '../storage/tx.js'
import { externalServers } from './access-policy.js'
import { addressHomes } from './address-rules.js'

interface Base {
  readonly config: Config
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly audit: AuditTrail
  readonly serverName: string
  readonly nodeList: NodeListService | undefined
}

/** Where the key of an invitation is asked for, at the server that keeps it. */
const KEY_PATH = '/_matrix/identity/v2/pubkey/ephemeral/isvalid'

/** Invitations of addresses of this server; undefined where they are an identity server's business. */
export function buildKeptInvites(
  deps: Base & { readonly mailer: Mailer; readonly redeem: KeptInvitesDeps['redeem'] },
): KeptInvites | undefined {
  const { config, serverName, nodeList } = deps
  const { enabled, lifetime, register_url: registerUrl } = config.address_invites
  if (!enabled) return undefined
  return createKeptInvites({
    ...deps,
    validityUrl: `https://${serverName}${KEY_PATH}`,
    labelOf: (server) => nodeList?.member(server)?.label ?? server,
    options: { lifetimeMs: lifetime, registerUrl },
  })
}

export function buildMemberIdentity(
  deps: Base & { readonly transport: Transport; readonly invites: KeptInvites | undefined },
): MemberIdentity | undefined {
  const { config, store, clock, random, logger, audit, serverName, nodeList, transport, invites } = deps
  if (invites === undefined) return undefined
  return createMemberIdentity({
    store,
    clock,
    random,
    serverName,
    logger,
    audit,
    client: transport.client,
    index: createAddressIndex({ store }),
    invites,
    isExternal: externalServers(config, nodeList) ?? (() => false),
    homeOf: addressHomes(config, nodeList),
    others: () => (nodeList?.memberNames() ?? []).filter((name) => name !== serverName),
    circle: () => nodeList?.circle() ?? serverName,
  })
}

/** What follows where a room takes back an invitation of an address, in the transaction of that. */
export const takingBack = (invites: KeptInvites, serverName: string) =>
  function* (room: WorkingRoom): Tx<void> {
    const offers = withdrawnOffers(room, serverName)
    if (offers.length > 0) yield* invites.takeBack(offers)
  }

/** Under which names clients know this server as an identity server. */
export function ownNames({
  server_name: serverName,
  public_baseurl: baseurl,
}: Config): (idServer: string) => boolean {
  const own = new Set([serverName.toLowerCase()])
  if (baseurl !== undefined) own.add(new URL(baseurl).host.toLowerCase())
  return (idServer) => own.has(idServer.toLowerCase())
}

/** Identity servers, and among them the circle itself under the name of this server. */
export function withMembers(
  identity: IdentityServers,
  members: MemberIdentity | undefined,
  config: Config,
): IdentityServers {
  if (members === undefined) return identity
  const isOwn = ownNames(config)
  // A token of ours is nothing more: who asks is logged in already.
  return {
    checkTrusted(idServer) {
      if (!isOwn(idServer)) identity.checkTrusted(idServer)
    },
    lookup: (access, address) =>
      isOwn(access.idServer) ? members.lookup(emailAlone(address)) : identity.lookup(access, address),
    storeInvite: (access, address, invite) =>
      isOwn(access.idServer)
        ? members.storeInvite(emailAlone(address), invite)
        : identity.storeInvite(access, address, invite),
    bind(access, session, userId) {
      if (!isOwn(access.idServer)) return identity.bind(access, session, userId)
      throw new MatrixError('M_THREEPID_DENIED', 'Addresses of accounts can be found here already', {
        reason: 'address.bound',
      })
    },
    unbind: (idServer, userId, address) =>
      isOwn(idServer) ? Promise.resolve(false) : identity.unbind(idServer, userId, address),
  }
}

function emailAlone(address: Address): Address {
  if (address.medium === 'email') return address
  throw new MatrixError('M_THREEPID_MEDIUM_NOT_SUPPORTED', 'Only e-mail addresses can be invited')
}

/**
 * The JSON at a web address. The keys of members are asked for as members are spoken with, by the certificates and addresses of the node list; those of
 * this server are known.
 */
export const memberKeyFetch =
  (deps: {
    readonly serverName: string
    readonly nodeList: NodeListService | undefined
    readonly transport: Transport
    readonly invites: Pick<KeptInvites, 'isKeyValid'> | undefined
  }) =>
  async (text: string): Promise<Json> => {
    const { transport } = deps
    const url = new URL(text)
    const publicKey = url.searchParams.get('public_key')
    if (url.protocol !== 'https:' || url.pathname !== KEY_PATH || publicKey === null)
      return fetchJson(transport.http, text)
    if (url.host === deps.serverName) return { valid: (await deps.invites?.isKeyValid(publicKey)) === true }
    if (deps.nodeList?.member(url.host) === undefined) return fetchJson(transport.http, text)
    return transport.client.request({
      destination: url.host,
      method: 'GET',
      path: KEY_PATH,
      query: { public_key: publicKey },
      signed: false,
      timeoutMs: 10_000,
      maxBytes: 4_096,
    })
  }
