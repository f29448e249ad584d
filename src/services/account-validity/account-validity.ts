import { createHash } from 'node:crypto'
import { SERVER, userActor, type Actor } from '../../core/audit/acts.js'
import { invalidParam, MatrixError, notFound } from '../../core/errors.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import type { Random } from '../../platform/random.js'
import * as rows from '../../storage/tables/account-validity.js'
import { forgetPushesOf } from '../../storage/tables/pushers.js'
import { threepidsOf } from '../../storage/tables/threepids.js'
import { userById } from '../../storage/tables/users.js'
import type { Store, Tx } from '../../storage/tx.js'
import type { AuditTrail } from '../audit/trail.js'
import type { TokenCache } from '../devices/token-cache.js'
import type { Mailer } from '../mail/mailer.js'
import { renewalMail } from './messages.js'

export interface AccountValidityOptions {
  /** How long an account lasts, and a renewal. All times in milliseconds. */
  readonly periodMs: number
  /** How long before the day mails are sent, the longest time first. */
  readonly remindMs: readonly number[]
  /** How long after the day an account is closed for ever; undefined: never. */
  readonly deactivateAfterMs?: number
  /** Accounts that do not expire. */
  isExcluded(userId: string): boolean
  readonly publicBaseurl: string
}

/** What a link renews. */
export interface Renewal {
  readonly userId: string
  /** The account was renewed already, by this link or another of the same time. */
  readonly isUsed: boolean
  /** When the account expires, as it is now. */
  readonly expiresTs: number
}

/** Accounts that expire unless they are renewed. NOTSPEC: as the clients of Tchap know it. */
export interface AccountValidity {
  /** Whether the account of a request may not be used any more. `expiresTs`: as the database has it; null: never. */
  isExpired(userId: string, expiresTs: number | null): boolean
  /** Runs in the transaction that makes an account. */
  onCreated(userId: string): Tx<void>
  /** A mail with a link. Throws M_LIMIT_EXCEEDED; M_UNKNOWN where the account has no address, does not expire, or no mail is sent. */
  sendMail(userId: string): Promise<void>
  /** What a link would do; undefined for one that is not, or no longer, good. */
  look(token: string): Promise<Renewal | undefined>
  /** The same, and does it; a link that was used changes nothing. */
  renew(token: string): Promise<Renewal | undefined>
  /** Null: never. Throws M_NOT_FOUND. */
  expiryOf(userId: string): Promise<number | null>
  /** For administrators. `expiresTs` undefined: one period from now. Gives the new day. Throws M_NOT_FOUND, M_INVALID_PARAM. */
  set(
    userId: string,
    wish: { readonly expiresTs?: number | undefined; readonly reminders?: boolean | undefined },
    by: Actor,
  ): Promise<number>
  /** Job: gives a day to accounts that have none, sends reminders, carries out what is due. */
  run(): Promise<void>
}

const BATCH = 50
const MAX_BATCHES = 200
/** Between two mails that the user asks for. */
const MAIL_PAUSE_MS = 60_000
const LINK_MS = 180 * 24 * 3_600_000
const TOKEN_LENGTH = 32
/** When accounts get their first day all at once, the days lie apart by up to this part of the period. */
const SPREAD = 0.1
const ASSIGN_MS = 24 * 3_600_000

const hashOf = (token: string): string => createHash('sha256').update(token).digest('base64url')

export const expiredError = (): MatrixError =>
  new MatrixError(
    'ORG_MATRIX_EXPIRED_ACCOUNT',
    'Your account has expired. Renew it with the link in the mail that you were sent, or ask for a new one',
    {},
    403,
  )

export function createAccountValidity(deps: {
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
  readonly random: Random
  readonly logger: Logger
  readonly serverName: string
  readonly tokenCache: Pick<TokenCache, 'forget'>
  readonly audit: AuditTrail
  /** Undefined: no mail is sent. */
  readonly mailer: Mailer | undefined
  deactivate(userId: string): Promise<void>
  readonly options: AccountValidityOptions
}): AccountValidity {
  const { store, clock, random, logger, serverName, tokenCache, audit, mailer, options } = deps
  const { periodMs, remindMs, deactivateAfterMs, isExcluded, publicBaseurl } = options

  /** Post: a mail with a link waits for each address of the account; gives how many. Pre: the token is fresh. */
  function* queueMails(row: rows.AccountValidityRow, token: string): Tx<number> {
    if (mailer === undefined) return 0
    const addresses = (yield* threepidsOf(row.user_id)).filter(({ medium }) => medium === 'email')
    if (addresses.length === 0) return 0
    const now = clock.now()
    yield* rows.insertRenewal(hashOf(token), row.user_id, now)
    const link = `${publicBaseurl}/_matrix/client/unstable/account_validity/renew?token=${token}`
    const message = renewalMail(serverName, row.user_id, row.expires_ts, now, link)
    for (const { address } of addresses)
      yield* mailer.queue({ to: address, ...message, expiresTs: now + LINK_MS })
    return addresses.length
  }

  /** When it was last looked for accounts without a day. New ones get theirs when they are made. */
  let assigned: number | undefined

  const newToken = (): string => random.string(TOKEN_LENGTH)

  /** Calls a step until it has nothing more to do. */
  async function inBatches(step: () => Promise<number>): Promise<void> {
    for (let n = 0; n < MAX_BATCHES && (await step()) === BATCH; n++);
  }

  async function assignDays(): Promise<void> {
    let after = ''
    for (;;) {
      const users = await store.read('validity.without', () => rows.usersWithoutValidity(after, BATCH))
      const last = users.at(-1)
      if (last === undefined) return
      after = last
      const now = clock.now()
      const days = users
        .filter((userId) => !isExcluded(userId))
        .map((userId) => ({ userId, expiresTs: now + Math.round(periodMs * (1 - SPREAD * fraction())) }))
      await store.write('validity.assign', () => rows.insertAccountValidity(days))
    }
  }

  const fraction = (): number => random.bytes(1)[0]! / 256

  /** The latest reminder that is due counts for those before it: whoever was down sends one mail, not three. */
  async function remind(): Promise<void> {
    for (let index = remindMs.length - 1; index >= 0; index--) {
      const before = remindMs[index]!
      await inBatches(async () => {
        const now = clock.now()
        const due = await store.read('validity.toRemind', () =>
          rows.accountsToRemind(now, now + before, index, BATCH),
        )
        for (const row of due) {
          const token = newToken()
          await store.write('validity.remind', function* () {
            if (!(yield* rows.setReminded(row, index + 1))) return
            if (!isExcluded(row.user_id)) yield* queueMails(row, token)
          })
        }
        if (due.length > 0) mailer?.wake()
        return due.length
      })
    }
  }

  async function expire(): Promise<void> {
    await inBatches(async () => {
      const due = await store.read('validity.toExpire', () => rows.accountsToExpire(clock.now(), BATCH))
      const excluded = due.map((row) => row.user_id).filter(isExcluded)
      await store.write('validity.expire', function* () {
        yield* rows.deleteAccountValidity(excluded)
        for (const { user_id: userId, expires_ts: expiresTs } of due) {
          if (isExcluded(userId) || !(yield* rows.markExpired(userId, expiresTs))) continue
          // Nobody is told of messages that they cannot read.
          yield* forgetPushesOf(userId)
          yield* audit.record({
            act: 'account.expired',
            by: SERVER,
            on: userId,
            details: { since: expiresTs },
          })
        }
      })
      return due.length
    })
  }

  async function close(): Promise<void> {
    if (deactivateAfterMs === undefined) return
    await inBatches(async () => {
      const due = await store.read('validity.longExpired', () =>
        rows.accountsLongExpired(clock.now() - deactivateAfterMs, BATCH),
      )
      let done = 0
      for (const userId of due.filter((id) => !isExcluded(id))) {
        try {
          await deps.deactivate(userId)
          done += 1
        } catch (error) {
          logger.warn({ err: error, userId }, 'an account that expired long ago cannot be closed yet')
        }
      }
      return done
    })
  }

  function* found(token: string): Tx<Renewal | undefined> {
    const renewal = yield* rows.renewalByHash(hashOf(token))
    if (renewal === undefined || renewal.created_ts + LINK_MS <= clock.now()) return undefined
    const userId = renewal.user_id
    const user = yield* userById(userId)
    const row = yield* rows.accountValidityOf(userId)
    if (user === undefined || user.deactivated === 1 || row === undefined) return undefined
    return { userId, isUsed: renewal.used_ts !== null, expiresTs: row.expires_ts }
  }

  function* person(userId: string): Tx<void> {
    const user = yield* userById(userId)
    if (user === undefined || user.deactivated === 1) throw notFound('There is no such active account')
    if (user.is_guest === 1 || user.appservice_id !== null || isExcluded(userId))
      throw invalidParam('This account does not expire')
  }

  return {
    isExpired: (userId, expiresTs) => expiresTs !== null && expiresTs <= clock.now() && !isExcluded(userId),

    *onCreated(userId) {
      const user = yield* userById(userId)
      if (user === undefined || user.is_guest === 1 || user.appservice_id !== null || isExcluded(userId))
        return
      yield* rows.insertAccountValidity([{ userId, expiresTs: clock.now() + periodMs }])
    },

    async sendMail(userId) {
      const token = newToken()
      const sent = await store.write('validity.mail', function* () {
        const row = isExcluded(userId) ? undefined : yield* rows.accountValidityOf(userId)
        if (row === undefined) throw new MatrixError('M_UNKNOWN', 'This account does not expire', {}, 400)
        const wait = row.mailed_ts + MAIL_PAUSE_MS - clock.now()
        if (wait > 0)
          throw new MatrixError('M_LIMIT_EXCEEDED', 'A mail is on its way; try again in a minute', { retry_after_ms: wait }) // prettier-ignore
        yield* rows.setMailed(userId, clock.now())
        return yield* queueMails(row, token)
      })
      if (sent === 0)
        throw new MatrixError('M_UNKNOWN', 'No mail can be sent: ask an administrator to renew the account', {}, 400) // prettier-ignore
      mailer?.wake()
    },

    look: (token) => store.read('validity.look', () => found(token)),

    async renew(token) {
      const renewal = await store.write('validity.renew', function* () {
        const link = yield* found(token)
        if (link === undefined || link.isUsed) return link
        const expiresTs = clock.now() + periodMs
        yield* rows.setAccountValidity(link.userId, expiresTs, true)
        yield* rows.useRenewals(link.userId, clock.now())
        yield* audit.record({
          act: 'account.renewed',
          by: userActor(link.userId),
          on: link.userId,
          details: { until: expiresTs },
        })
        return { ...link, expiresTs }
      })
      if (renewal !== undefined && !renewal.isUsed) tokenCache.forget(renewal.userId)
      return renewal
    },

    async expiryOf(userId) {
      return await store.read('validity.of', function* () {
        if ((yield* userById(userId)) === undefined) throw notFound('There is no such account')
        return isExcluded(userId) ? null : ((yield* rows.accountValidityOf(userId))?.expires_ts ?? null)
      })
    },

    async set(userId, { expiresTs, reminders }, by) {
      const until = expiresTs ?? clock.now() + periodMs
      if (!Number.isSafeInteger(until) || until < 0) throw invalidParam('That is no time in milliseconds')
      await store.write('validity.set', function* () {
        yield* person(userId)
        const before = yield* rows.accountValidityOf(userId)
        const wanted = reminders ?? before?.wanted !== 0
        yield* rows.setAccountValidity(userId, until, wanted)
        yield* rows.useRenewals(userId, clock.now())
        yield* audit.record({
          act: 'account.extended',
          by,
          on: userId,
          details: { until, reminders: wanted },
        })
      })
      tokenCache.forget(userId)
      return until
    },

    async run() {
      if (assigned === undefined || clock.now() - assigned >= ASSIGN_MS) {
        assigned = clock.now()
        await assignDays()
      }
      await remind()
      await expire()
      await close()
      await inBatches(() =>
        store.write('validity.prune', () => rows.pruneRenewals(clock.now() - LINK_MS, BATCH)),
      )
    },
  }
}
