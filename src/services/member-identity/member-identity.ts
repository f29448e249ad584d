import { createHash } from 'node:crypto'
import { userActor } from '../../core/audit/acts.js'
import type { AddressHome } from '../../core/address-gate.js'
import { forbidden, invalidParam, MatrixError } from '../../core/errors.js'
import { isRoomId } from '../../core/ids/room-id.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import { isUserId } from '../../core/ids/user-id.js'
import { isObject, ownValue, type JsonObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import type { Random } from '../../platform/random.js'
import type { Store } from '../../storage/tx.js'
import type { AuditTrail } from '../audit/trail.js'
import { FederationError, type FederationClient } from '../federation/client.js'
import { canonicalAddress } from '../identity/address.js'
import { storedInvite, type Address, type StoredInvite } from '../identity/identity-servers.js'
import type { AddressIndex } from './address-index.js'
import { lookupHash } from './address-index.js'
import type { KeptInvites } from './kept-invites.js'
import { createWithdrawals } from './withdrawals.js'

/** Whether a user has the address already, or what a room says of an invitation that waits. */
export type Kept = StoredInvite | { readonly boundTo: string }

/**
 * The servers of a circle as one identity server: each knows the addresses that belong to it, keeps their invitations, and vouches for its users. Throws
 * M_THREEPID_DENIED for addresses that belong to nobody.
 * SPEC: https://spec.matrix.org/v1.19/identity-service-api/
 */
export interface MemberIdentity {
  /** Who has the address; asked of the server that it belongs to, by its hash. Throws M_UNKNOWN (502). */
  lookup(address: Address): Promise<string | undefined>
  /** Has the server that the address belongs to keep an invitation. `sender` is of this server. Throws M_LIMIT_EXCEEDED, M_UNKNOWN (502). */
  storeInvite(address: Address, invite: JsonObject): Promise<Kept>
  /** Where the address belongs. Throws M_THREEPID_DENIED. */
  homeOf(address: string): AddressHome
  hashDetails(): { readonly lookup_pepper: string; readonly algorithms: readonly ['sha256'] }
  /** Users of the whole circle by hashes; members that do not answer in time are passed over. Throws M_INVALID_PEPPER, M_INVALID_PARAM. */
  lookupHashes(question: HashQuestion): Promise<Readonly<Record<string, string>>>
  /** The same of this server alone, for a member. Throws M_FORBIDDEN for external ones. */
  lookupFor(origin: string, question: HashQuestion): Promise<Readonly<Record<string, string>>>
  /** An invitation that a member's user sends to an address of this server. Throws M_INVALID_PARAM, M_FORBIDDEN, M_LIMIT_EXCEEDED. */
  keepFor(origin: string, body: JsonObject): Promise<Kept>
  /** Tells the keeper of an invitation that was taken back; where it is away, it is told later. Never rejects for a keeper's answer. */
  tellWithdrawn(token: string): Promise<void>
  /** Job: the same of all whose time it is. */
  tellDue(): Promise<void>
  /** The same by a member's user. Throws M_FORBIDDEN. */
  withdrawFor(origin: string, invitation: { readonly token: string; readonly sender: string }): Promise<void>
  /** Whether an address of this server is invited, and nobody has it yet. */
  isInvited(address: string): Promise<boolean>
  /** The server whose user has the address, if anybody has it. */
  holderOf(address: string): Promise<string | undefined>
  readonly invites: Pick<KeptInvites, 'isKeyValid' | 'redeemDue' | 'prune'>
}

export interface HashQuestion {
  readonly hashes: readonly string[]
  readonly algorithm: string
  readonly pepper: string
}

export const MAX_HASHES = 200
const ROOT = '/_matrix/federation/unstable/org.chancery.identity'
const TIMEOUT_MS = 10_000
/** Somebody waits for the answers of all. */
const ALL_TIMEOUT_MS = 4_000
const MAX_BYTES = 64 * 1024

export function createMemberIdentity(deps: {
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
  readonly random: Random
  readonly serverName: string
  readonly logger: Logger
  readonly audit: AuditTrail
  readonly client: Pick<FederationClient, 'request'>
  readonly index: AddressIndex
  readonly invites: KeptInvites
  homeOf(address: string): AddressHome | undefined
  /** Other members that are asked for addresses. */
  others(): readonly string[]
  /** Whose people invite nobody and look nobody up. */
  isExternal(serverName: string): boolean
  /** What the circle is called; the server where there is none. */
  circle(): string
}): MemberIdentity {
  const { serverName, client, index, invites } = deps

  /** One for the whole circle, so that one question serves for all its members. */
  const pepper = (): string =>
    createHash('sha256').update(`org.chancery.lookup ${deps.circle()}`).digest('base64url').slice(0, 24)

  const unusable = (home: string, error: unknown): MatrixError => {
    deps.logger.info({ err: error, home }, 'a member gives no answer about an address')
    return new MatrixError('M_UNKNOWN', `The server of this address, ${home}, gives no answer`, {}, 502)
  }

  function homeOf(address: string): AddressHome {
    const home = deps.homeOf(address)
    if (home === undefined)
      throw new MatrixError('M_THREEPID_DENIED', 'No server is for addresses of this domain', {
        reason: 'address.nobody',
      })
    return home
  }

  function refuseExternal(server: string): void {
    if (deps.isExternal(server))
      throw new MatrixError('M_FORBIDDEN', 'External accounts look nobody up, and invite nobody', {
        reason: 'address.external',
      })
  }

  function checkQuestion({ hashes, algorithm, pepper: given }: HashQuestion): void {
    if (algorithm !== 'sha256') throw invalidParam('The only algorithm is sha256')
    if (given !== pepper())
      throw new MatrixError('M_INVALID_PEPPER', 'This is not the pepper of hash_details', {
        algorithm: 'sha256',
        lookup_pepper: pepper(),
      })
    if (hashes.length > MAX_HASHES)
      throw invalidParam(`At most ${MAX_HASHES} addresses are looked up at once`)
  }

  async function askFor(home: string, hashes: readonly string[], timeoutMs: number): Promise<JsonObject> {
    const answer = await client.request({
      destination: home,
      method: 'POST',
      path: `${ROOT}/lookup`,
      body: { addresses: hashes, algorithm: 'sha256', pepper: pepper() },
      timeoutMs,
      maxBytes: MAX_BYTES,
    })
    const mappings = ownValue(answer, 'mappings')
    return isObject(mappings) ? mappings : {}
  }

  /** A member speaks for its own users alone. */
  function userIn(mappings: JsonObject, hash: string, server: string): string | undefined {
    const userId = ownValue(mappings, hash)
    return typeof userId === 'string' && isUserId(userId) && serverNameOf(userId) === server
      ? userId
      : undefined
  }

  const ownMappings = async (hashes: readonly string[]): Promise<Map<string, string>> =>
    new Map(await index.find(hashes, pepper()))

  async function ofAll(hashes: readonly string[]): Promise<Map<string, string>> {
    const found = await ownMappings(hashes)
    const missing = hashes.filter((hash) => !found.has(hash))
    if (missing.length === 0) return found
    await Promise.all(
      deps.others().map(async (server) => {
        try {
          const mappings = await askFor(server, missing, ALL_TIMEOUT_MS)
          for (const hash of missing) {
            const userId = userIn(mappings, hash, server)
            if (userId !== undefined && !found.has(hash)) found.set(hash, userId)
          }
        } catch (error) {
          if (!(error instanceof FederationError)) throw error
          deps.logger.debug({ err: error, server }, 'a member does not answer a look-up')
        }
      }),
    )
    return found
  }

  const invitationIn = (body: JsonObject) => {
    const [medium, text] = [ownValue(body, 'medium'), ownValue(body, 'address')]
    const [roomId, sender] = [ownValue(body, 'room_id'), ownValue(body, 'sender')]
    const address =
      medium === 'email' && typeof text === 'string' ? canonicalAddress(medium, text)?.address : undefined
    if (address === undefined) throw invalidParam('This is not an e-mail address')
    if (typeof roomId !== 'string' || !isRoomId(roomId)) throw invalidParam('room_id is not a room id')
    if (typeof sender !== 'string' || !isUserId(sender)) throw invalidParam('sender is not a user id')
    return { address, roomId, sender }
  }

  const withdrawals = createWithdrawals({
    ...deps,
    isMember: (server) => deps.others().includes(server),
    ask: ({ keeper, token, sender }) =>
      client.request({
        destination: keeper,
        method: 'POST',
        path: `${ROOT}/withdraw_invite`,
        body: { token, sender },
        timeoutMs: ALL_TIMEOUT_MS,
        maxBytes: MAX_BYTES,
      }),
  })

  return {
    homeOf,
    invites,
    hashDetails: () => ({ lookup_pepper: pepper(), algorithms: ['sha256'] }),

    async lookup({ address }) {
      refuseExternal(serverName)
      const { serverName: home } = homeOf(address)
      const hash = lookupHash(address, pepper())
      if (home === serverName) return (await ownMappings([hash])).get(hash)
      try {
        return userIn(await askFor(home, [hash], TIMEOUT_MS), hash, home)
      } catch (error) {
        if (!(error instanceof FederationError)) throw error
        throw unusable(home, error)
      }
    },

    async storeInvite(address, invite) {
      refuseExternal(serverName)
      const body = { ...invite, ...address }
      const { address: canonical, roomId, sender } = invitationIn(body)
      if (serverNameOf(sender) !== serverName) throw forbidden('You invite in your own name alone')
      const { serverName: home } = homeOf(canonical)
      if (home === serverName) return invites.keep({ address: canonical, roomId, sender }, userActor(sender))
      try {
        const answer = await client.request({
          destination: home,
          method: 'POST',
          path: `${ROOT}/store_invite`,
          // Nothing of the room but its id: the mail does not speak of it.
          body: { medium: 'email', address: canonical, room_id: roomId, sender },
          timeoutMs: TIMEOUT_MS,
          maxBytes: MAX_BYTES,
        })
        const boundTo = userIn(answer, 'mxid', home)
        if (boundTo !== undefined) return { boundTo }
        const stored = storedInvite(answer)
        if (stored !== undefined) {
          const details = { address: canonical, kept_by: home }
          await deps.audit.note({
            act: 'account.invited',
            by: userActor(sender),
            on: sender,
            room: roomId,
            details,
          })
          return stored
        }
        throw new FederationError('bad-response', 'it has kept no invitation')
      } catch (error) {
        if (!(error instanceof FederationError)) throw error
        if (error.errcode === 'M_LIMIT_EXCEEDED')
          throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many invitations by e-mail today', {
            retry_after_ms: 3_600_000,
          })
        throw unusable(home, error)
      }
    },

    async lookupHashes(question) {
      refuseExternal(serverName)
      checkQuestion(question)
      return Object.fromEntries(await ofAll([...new Set(question.hashes)]))
    },

    async lookupFor(origin, question) {
      refuseExternal(origin)
      checkQuestion(question)
      return Object.fromEntries(await ownMappings([...new Set(question.hashes)]))
    },

    async keepFor(origin, body) {
      refuseExternal(origin)
      const invitation = invitationIn(body)
      if (serverNameOf(invitation.sender) !== origin) throw forbidden('The sender is not of your server')
      if (deps.homeOf(invitation.address)?.serverName !== serverName)
        throw invalidParam('This address does not belong to this server')
      return invites.keep(invitation, { kind: 'server', id: origin })
    },

    tellWithdrawn: (token) => withdrawals.tell(token),
    tellDue: () => withdrawals.tellDue(),

    async withdrawFor(origin, { token, sender }) {
      if (serverNameOf(sender) !== origin) throw forbidden('The sender is not of your server')
      await invites.withdraw({ token, sender })
    },

    async isInvited(text) {
      const address = canonicalAddress('email', text)?.address
      return address !== undefined && (await invites.hasWaiting(address))
    },

    async holderOf(address) {
      const hash = lookupHash(address, pepper())
      const userId = (await ofAll([hash])).get(hash)
      return userId === undefined ? undefined : serverNameOf(userId)
    },
  }
}
