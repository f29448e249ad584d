import type { Actor } from '../../core/audit/acts.js'
import { MatrixError } from '../../core/errors.js'
import { signJson } from '../../core/event/sign.js'
import { serverNameOf } from '../../core/ids/server-name-of.js'
import type { JsonObject } from '../../core/json/value.js'
import { backoffDelay } from '../../platform/backoff.js'
import type { Clock } from '../../platform/clock.js'
import { createSigner } from '../../platform/ed25519.js'
import type { Logger } from '../../platform/logger.js'
import type { Random } from '../../platform/random.js'
import { decodeBase64, encodeBase64 } from '../../platform/unpadded-base64.js'
import * as rows from '../../storage/tables/address-invites.js'
import { deleteInBatches } from '../../storage/delete-in-batches.js'
import {
  countInviteWithdrawals,
  deleteExpiredInviteWithdrawals,
  insertInviteWithdrawals,
} from '../../storage/tables/invite-withdrawals.js'
import { threepidOwner } from '../../storage/tables/threepids.js'
import type { Store, Tx } from '../../storage/tx.js'
import type { AuditTrail } from '../audit/trail.js'
import type { StoredInvite } from '../identity/identity-servers.js'
import type { Mailer } from '../mail/mailer.js'
import { invitationMail } from './messages.js'

/** Who invites an address to which room. */
export interface Invitation {
  /** Canonical. */
  readonly address: string
  readonly roomId: string
  readonly sender: string
}

/** An invitation by a user of this server that a room has taken back. */
export interface TakenBack {
  /** The server that keeps it. */
  readonly keeper: string
  readonly token: string
  readonly sender: string
}

/** What became of the invite of a user whose address was invited: it is there or will never be, or is worth another try. */
export type Redemption = 'settled' | 'later'

/** Invitations of addresses that belong to this server. */
export interface KeptInvites {
  /** Keeps an invitation and tells the address; or gives the user who has it. Throws M_LIMIT_EXCEEDED. */
  keep(invitation: Invitation, by: Actor): Promise<StoredInvite | { readonly boundTo: string }>
  /**
   * Part of the body with which rooms take back what users of this server had offered: what is kept here is gone, of the rest the keepers are told until they know it.
   */
  takeBack(offers: readonly TakenBack[]): Tx<void>
  /** It was taken back; nothing happens where somebody has the address already. */
  withdraw(invitation: { readonly token: string; readonly sender: string }): Promise<void>
  isInvited(address: string): Tx<boolean>
  hasWaiting(address: string): Promise<boolean>
  isKeyValid(publicKey: string): Promise<boolean>
  /** Part of the body that gives a user the address. */
  bind(userId: string, address: string): Tx<void>
  /** Job: asks for the invites of users whose addresses were invited. */
  redeemDue(): Promise<void>
  /** Job: forgets what is over. */
  prune(): Promise<void>
}

const DAY = 86_400_000
const BATCH = 20
const RETRY = { initialMs: 5_000, maxMs: 30 * 60_000 }
/** Mails to one address in a day; further invitations wait in silence. */
const MAILS_A_DAY = 5
/** Of one address and of one inviter in a day. */
const INVITES_OF_ADDRESS = 50
const INVITES_BY_SENDER = 200
const KEY_VERSION = 'invite'
const SEED_BYTES = 32
const PRUNED_AT_ONCE = 500
/** The room's own request tells the keeper first; the job comes later. */
const FIRST_TOLD_MS = 5_000
/** Beyond so many, invitations that are taken back end with their lifetime. */
const MAX_WITHDRAWALS = 10_000

/** `anne@finances.example` is `a…@f…`: everybody in the room sees it. */
const shortened = (address: string): string => {
  const at = address.indexOf('@')
  return `${address.slice(0, 1)}…@${address.slice(at + 1, at + 2)}…`
}

export interface KeptInvitesDeps {
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
  readonly random: Random
  readonly logger: Logger
  readonly serverName: string
  readonly audit: AuditTrail
  readonly mailer: Mailer
  /** Where a key's validity is asked for. */
  readonly validityUrl: string
  /** What people call a server. */
  labelOf(serverName: string): string
  readonly options: { readonly lifetimeMs: number; readonly registerUrl: string | undefined }
  /** Has the inviting user's server invite the user; never rejects for its refusal. */
  redeem(invite: {
    readonly userId: string
    readonly roomId: string
    readonly sender: string
    readonly signed: JsonObject
  }): Promise<Redemption>
}

export function createKeptInvites(deps: KeptInvitesDeps): KeptInvites {
  const { store, clock, random, serverName, audit, mailer, options } = deps

  const told = (row: Pick<rows.AddressInviteRow, 'token' | 'public_key' | 'address'>): StoredInvite => ({
    token: row.token,
    displayName: shortened(row.address),
    publicKeys: [{ public_key: row.public_key, key_validity_url: deps.validityUrl }],
  })

  function* checkBounds({ address, sender }: Invitation, now: number): Tx<number> {
    const ofAddress = yield* rows.countInvitesOfAddress(address, now - DAY)
    if (
      ofAddress >= INVITES_OF_ADDRESS ||
      (yield* rows.countInvitesBy(sender, now - DAY)) >= INVITES_BY_SENDER
    )
      throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many invitations by e-mail today', {
        retry_after_ms: DAY / 24,
      })
    return ofAddress
  }

  async function redeemOne(row: rows.AddressInviteRow): Promise<void> {
    const { token, sender, room_id: roomId, user_id: userId } = row
    const seed = decodeBase64(row.seed)
    const outcome =
      userId === null || seed === undefined || row.expires_ts <= clock.now()
        ? 'settled'
        : await deps.redeem({
            userId,
            roomId,
            sender,
            signed: signJson(
              { mxid: userId, sender, token },
              { ...createSigner({ version: KEY_VERSION, seed }), serverName },
            ),
          })
    const attempts = row.attempts + 1
    const due = outcome === 'settled' ? null : clock.now() + backoffDelay(RETRY, attempts, random)
    await store.write('addressInvites.tried', () => rows.postponeAddressInvite(token, attempts, due))
  }

  return {
    async keep(invitation, by) {
      const { address, roomId, sender } = invitation
      const seed = random.bytes(SEED_BYTES)
      const token = random.string(40)
      const now = clock.now()
      const kept = await store.write('addressInvites.keep', function* () {
        const owner = yield* threepidOwner('email', address)
        if (owner !== undefined) return { boundTo: owner }
        const known = yield* rows.waitingAddressInvite(address, roomId, sender, now)
        if (known !== undefined) return told(known)
        const earlier = yield* checkBounds(invitation, now)
        const row = {
          token,
          address,
          room_id: roomId,
          sender,
          seed: encodeBase64(seed),
          public_key: createSigner({ version: KEY_VERSION, seed }).publicKey,
          created_ts: now,
          expires_ts: now + options.lifetimeMs,
        }
        yield* rows.insertAddressInvite(row)
        if (earlier < MAILS_A_DAY)
          yield* mailer.queue({
            to: address,
            expiresTs: row.expires_ts,
            ...invitationMail({
              from: deps.labelOf(serverNameOf(sender) ?? serverName),
              server: serverName,
              registerUrl: options.registerUrl,
              address,
              days: Math.max(1, Math.round(options.lifetimeMs / DAY)),
            }),
          })
        yield* audit.record({
          act: 'account.invited',
          by,
          on: sender,
          room: roomId,
          details: { address, kept_by: serverName },
        })
        return told(row)
      })
      mailer.wake()
      return kept
    },
    *takeBack(offers) {
      const own = offers.filter(({ keeper }) => keeper === serverName)
      const senders = [...new Set(own.map(({ sender }) => sender))]
      if (own.length > 0) yield* rows.deleteWaitingInvites(own.map(({ token }) => token), senders) // prettier-ignore
      const others = offers.filter(({ keeper }) => keeper !== serverName)
      if (others.length === 0 || (yield* countInviteWithdrawals()) + others.length > MAX_WITHDRAWALS) return
      const now = clock.now()
      const times = { due_ts: now + FIRST_TOLD_MS, expires_ts: now + options.lifetimeMs }
      yield* insertInviteWithdrawals(others.map((offer) => ({ ...offer, ...times })))
    },
    withdraw: ({ token, sender }) =>
      store.write('addressInvites.withdraw', () => rows.deleteWaitingInvite(token, sender)),
    hasWaiting: (address) =>
      store.read('addressInvites.waiting', () => rows.isAddressInvited(address, clock.now())),
    isInvited: (address) => rows.isAddressInvited(address, clock.now()),
    isKeyValid: (publicKey) =>
      store.read('addressInvites.key', () => rows.isAddressInviteKey(publicKey, clock.now())),
    bind: (userId, address) => rows.bindAddressInvites(address, userId, clock.now()),
    async redeemDue() {
      const due = await store.read('addressInvites.due', () => rows.dueAddressInvites(clock.now(), BATCH))
      await Promise.all(due.map(redeemOne))
    },
    async prune() {
      await deleteInBatches(store, 'addressInvites.prune', PRUNED_AT_ONCE, (size) =>
        rows.deleteExpiredInvites(clock.now(), size),
      )
      await deleteInBatches(store, 'addressInvites.pruneWithdrawals', PRUNED_AT_ONCE, (size) =>
        deleteExpiredInviteWithdrawals(clock.now(), size),
      )
    },
  }
}
