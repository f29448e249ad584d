import { createHash } from 'node:crypto'
import { OPERATOR, userActor, type Actor } from '../../core/audit/acts.js'
import { canonicalEmail } from '../../core/ids/email-address.js'
import { invalidParam, MatrixError } from '../../core/errors.js'
import type { Clock } from '../../platform/clock.js'
import { createLru } from '../../platform/lru.js'
import type { Random } from '../../platform/random.js'
import * as sessions from '../../storage/tables/threepid-sessions.js'
import * as rows from '../../storage/tables/threepids.js'
import type { Store, Tx } from '../../storage/tx.js'
import { NO_AUDIT, type AuditTrail } from '../audit/trail.js'
import type { AddressGate } from '../address-gate/address-gate.js'
import type { Mailer } from '../mail/mailer.js'
import { proofMail } from './messages.js'
import { allowedLink } from './next-link.js'
import { addressRefused, inUse, locked, REFUSALS } from './refusals.js'

/** What an address is proved for; a proof serves nothing else. */
export type Purpose = 'register' | 'add' | 'reset'

/** The body of a `requestToken`, in our words. */
export interface EmailRequest {
  readonly email: string
  readonly clientSecret: string
  readonly sendAttempt: number
  readonly nextLink: string | undefined
}

/** What a client shows to say that an address was proved. */
export interface ThreepidCredentials {
  readonly sid: string
  readonly clientSecret: string
}

export interface Proof {
  readonly sessionId: string
  readonly address: string
  /** Milliseconds since 1970. */
  readonly validatedTs: number
}

export interface ThreepidsOptions {
  /** Where people reach this server: links in mails begin with it. */
  readonly publicBaseurl: string
  /** Whether nobody is told which addresses have accounts: they are sent a mail instead of an error. */
  readonly hideAddresses: boolean
  /** Addresses that a person may be sent to after the confirmation; each stands for all below it. */
  readonly nextLinks: readonly string[]
}

export interface AddressRules {
  /** Whose addresses may have an account; absent: anybody's. */
  readonly gate?: AddressGate
  /** Users cannot change their addresses themselves. */
  readonly locked?: boolean
  /** In the transaction that gives an account an address. */
  readonly onAttached?: (userId: string, address: string) => Tx<void>
}

/**
 * E-mail addresses of accounts, and their proof: a mail with a link that only the owner of the mailbox can open.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#adding-account-administrative-contact-information
 */
export interface Threepids {
  /** Whether mail is configured, so that addresses can be proved. */
  readonly isOffered: boolean
  /**
   * Begins a proof, or repeats its mail. Throws M_THREEPID_MEDIUM_NOT_SUPPORTED, M_INVALID_PARAM, M_LIMIT_EXCEEDED; unless addresses
   * are hidden also M_THREEPID_IN_USE, M_THREEPID_NOT_FOUND. Where not all may have an account: M_THREEPID_DENIED with a `reason`; and
   * M_FORBIDDEN where addresses are not the users' to change.
   */
  requestEmail(purpose: Purpose, request: EmailRequest): Promise<{ readonly sid: string }>
  /** What a link of a mail opens; undefined when it does not or no longer hold. */
  opened(sid: string, token: string): Promise<OpenedLink | undefined>
  /** The person has confirmed. Undefined as for `opened`. */
  confirm(sid: string, token: string): Promise<OpenedLink | undefined>
  list(userId: string): Promise<readonly rows.ThreepidRow[]>
  /** Throws M_THREEPID_AUTH_FAILED unless the address was proved for this. */
  checkProved(purpose: Purpose, credentials: ThreepidCredentials): Promise<Proof>
  /** Gives the account an address. Throws as `checkProved`, and M_THREEPID_IN_USE, M_THREEPID_DENIED. */
  add(userId: string, credentials: ThreepidCredentials): Promise<void>
  /** Whatever the address, the account does not have it afterwards. Throws M_FORBIDDEN. */
  remove(userId: string, medium: string, address: string): Promise<void>
  /**
   * For administrators, who answer for the addresses: the account has these and no others. Gives those that it has no more. Throws
   * M_INVALID_PARAM, M_THREEPID_DENIED, M_THREEPID_IN_USE.
   */
  replace(userId: string, addresses: readonly string[], by?: Actor): Promise<readonly string[]>
  /**
   * For administrators too: one address goes, or comes, or is put in the place of another, in one transaction. Throws M_INVALID_PARAM,
   * M_THREEPID_NOT_FOUND where the account does not have the one, M_THREEPID_IN_USE where another account has the other; M_THREEPID_DENIED.
   */
  change(
    userId: string,
    change: { readonly from?: string | undefined; readonly to?: string | undefined },
    by: Actor,
  ): Promise<void>
  /** The account that has the address, which may be written in any way. */
  ownerOf(address: string): Promise<string | undefined>
  /** The address that was proved in a session. Throws M_THREEPID_AUTH_FAILED. */
  addressOf(purpose: Purpose, sessionId: string): Promise<string>
  /** Part of a larger body: uses the proof up and gives it. Throws M_THREEPID_AUTH_FAILED. */
  take(purpose: Purpose, sessionId: string): Tx<Proof>
  /** Part of a larger body that makes an account. Throws M_THREEPID_DENIED. */
  checkAdmitted(proof: Proof): Tx<void>
  /** Part of a larger body. Throws M_THREEPID_IN_USE. */
  attach(userId: string, proof: Proof, by?: Actor): Tx<void>
  /** Job: forgets what is over. */
  prune(): Promise<void>
}

export interface OpenedLink {
  readonly address: string
  /** What the proof serves: a person should know to what they say yes. */
  readonly purpose: Purpose
  /** Where the person goes afterwards. */
  readonly nextLink: string | undefined
}

const EMAIL = 'email'
/** How long a link can be opened; and, once it was, how long the client has to use the proof. */
const LIFETIME_MS = 3_600_000
const MAX_SESSIONS = 50_000
const MAX_SENDS = 10
/** Mails to one address in an hour, whoever asks for them. */
const MAILS_AN_HOUR = 6
const MAX_ADDRESSES = 20
const SECRET_GRAMMAR = /^[0-9a-zA-Z.=_-]{1,255}$/

const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64url')

const notProved = (): MatrixError =>
  new MatrixError('M_THREEPID_AUTH_FAILED', 'The address was not confirmed (yet)', {}, 403)
const tooManyAddresses = (): MatrixError =>
  new MatrixError('M_THREEPID_DENIED', `An account has at most ${MAX_ADDRESSES} addresses`)
function accepted(address: string): string {
  const canonical = canonicalEmail(address)
  if (canonical === undefined) throw invalidParam('This is not an e-mail address that is accepted')
  return canonical
}
const unknownAddress = (): MatrixError =>
  new MatrixError('M_THREEPID_NOT_FOUND', 'The account does not have this address')
// oxlint-disable-next-line require-yield
function* nothing(): Tx<void> {}

export interface ThreepidsDeps {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly serverName: string
  /** Undefined: no mail is sent, and no address can be proved. */
  readonly mail?: { readonly mailer: Mailer; readonly options: ThreepidsOptions } | undefined
  readonly audit?: AuditTrail
  readonly rules?: AddressRules | undefined
}

export function createThreepids(deps: ThreepidsDeps): Threepids {
  const { store, clock, random, serverName, mail, audit = NO_AUDIT } = deps
  const { gate, locked: isLocked = false, onAttached } = deps.rules ?? {}
  const recent = createLru<string, { sent: number; readonly until: number }>({
    max: 50_000,
    ttlMs: LIFETIME_MS,
    clock,
  })

  /** Counts a mail to the address. Throws M_LIMIT_EXCEEDED. */
  function admit(address: string): void {
    const known = recent.get(address)
    if (known === undefined) {
      recent.set(address, { sent: 1, until: clock.monotonic() + LIFETIME_MS })
      return
    }
    const left = Math.max(1, Math.ceil(known.until - clock.monotonic()))
    if (known.sent >= MAILS_AN_HOUR)
      throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many mails to this address; try again later', {
        retry_after_ms: left,
      })
    recent.set(address, { sent: known.sent + 1, until: known.until }, left)
  }

  const isRepeated = (session: sessions.ThreepidSessionRow | undefined, attempt: number): boolean =>
    session !== undefined && (session.send_attempt >= attempt || session.sends >= MAX_SENDS)

  /** Why the address cannot serve this purpose; the mailbox alone is told, where addresses are hidden. */
  function* refusalOf(
    purpose: Purpose,
    address: string,
    owner: string | undefined,
  ): Tx<keyof typeof REFUSALS | undefined> {
    if (purpose === 'reset') return owner === undefined ? 'unknown' : undefined
    if (owner !== undefined) return 'inUse'
    if (purpose === 'add' || gate === undefined || (yield* gate.isInvited(address))) return undefined
    return 'uninvited'
  }

  async function requestEmail(purpose: Purpose, request: EmailRequest): Promise<{ sid: string }> {
    if (mail === undefined) throw notSupported('This server sends no mail')
    const { mailer, options } = mail
    const address = canonicalEmail(request.email)
    if (address === undefined) throw invalidParam('This is not an e-mail address of a form that is accepted')
    if (!SECRET_GRAMMAR.test(request.clientSecret))
      throw invalidParam('client_secret has 1 to 255 characters of 0-9 a-z A-Z . = _ -')
    if (purpose === 'add' && isLocked) throw locked()
    if (purpose !== 'reset') gate?.check(address)
    const secretHash = hashOf(request.clientSecret)
    const known = await store.read('threepids.known', () =>
      sessions.threepidSessionFor(purpose, address, secretHash, clock.now()),
    )
    if (known !== undefined && isRepeated(known, request.sendAttempt)) return { sid: known.session_id }
    admit(address)

    const token = random.string(32)
    const freshId = random.string(24)
    const now = clock.now()
    const expires = now + LIFETIME_MS
    const nextLink = allowedLink(request.nextLink, options.nextLinks) ?? null
    const { sid, refusal: told } = await store.write('threepids.request', function* () {
      const session = yield* sessions.threepidSessionFor(purpose, address, secretHash, now)
      if (session !== undefined && isRepeated(session, request.sendAttempt))
        return { sid: session.session_id, refusal: undefined }
      const owner = yield* rows.threepidOwner(EMAIL, address)
      const refusal = yield* refusalOf(purpose, address, owner)
      if (refusal !== undefined && !options.hideAddresses) throw REFUSALS[refusal].error()
      const sessionId = session?.session_id ?? freshId
      const link = `${options.publicBaseurl}/_chancery/email/confirm?sid=${sessionId}&token=${token}`
      const message =
        refusal === undefined ? proofMail(purpose, serverName, link) : REFUSALS[refusal].mail(serverName)
      const renewed = {
        session_id: sessionId,
        token_hash: refusal === undefined ? hashOf(token) : null,
        send_attempt: request.sendAttempt,
        sends: (session?.sends ?? 0) + 1,
        next_link: nextLink,
        expires_ts: expires,
      }
      if (session === undefined) {
        yield* sessions.pruneThreepidSessions(now, MAX_SESSIONS)
        yield* sessions.insertThreepidSession({
          ...renewed,
          purpose,
          address,
          secret_hash: secretHash,
          validated_ts: null,
          created_ts: now,
        })
      } else yield* sessions.renewThreepidSession(renewed)
      yield* mailer.queue({ to: address, ...message, expiresTs: expires })
      return { sid: sessionId, refusal }
    })
    if (told === 'uninvited') audit.count(addressRefused('address.invitation'))
    mailer.wake()
    return { sid }
  }

  function* withToken(sid: string, token: string): Tx<sessions.ThreepidSessionRow | undefined> {
    const session = yield* sessions.threepidSession(sid, clock.now())
    return session?.token_hash === hashOf(token) ? session : undefined
  }

  const openedLink = (session: sessions.ThreepidSessionRow): OpenedLink => ({
    address: session.address,
    purpose: session.purpose as Purpose,
    // The list may have changed since the link was asked for.
    nextLink: allowedLink(session.next_link ?? undefined, mail?.options.nextLinks ?? []),
  })

  function proofOf(purpose: Purpose, session: sessions.ThreepidSessionRow | undefined): Proof {
    if (session === undefined || session.purpose !== purpose || session.validated_ts === null)
      throw notProved()
    return { sessionId: session.session_id, address: session.address, validatedTs: session.validated_ts }
  }

  function* proved(purpose: Purpose, credentials: ThreepidCredentials): Tx<Proof> {
    const session = yield* sessions.threepidSession(credentials.sid, clock.now())
    if (session?.secret_hash !== hashOf(credentials.clientSecret)) throw notProved()
    return proofOf(purpose, session)
  }

  function* take(purpose: Purpose, sessionId: string): Tx<Proof> {
    const proof = proofOf(purpose, yield* sessions.threepidSession(sessionId, clock.now()))
    if (!(yield* sessions.deleteThreepidSession(sessionId))) throw notProved()
    return proof
  }

  /** The list of whose addresses belong here may have changed since the mail. */
  function* checkAdmitted({ address }: Proof): Tx<void> {
    gate?.check(address)
    if (gate !== undefined && !(yield* gate.isInvited(address))) throw REFUSALS.uninvited.error()
  }

  function* attach(userId: string, proof: Proof, by: Actor = userActor(userId)): Tx<void> {
    const isNew = yield* rows.insertThreepid({
      medium: EMAIL,
      address: proof.address,
      user_id: userId,
      validated_ts: proof.validatedTs,
      added_ts: clock.now(),
    })
    if (!isNew && (yield* rows.threepidOwner(EMAIL, proof.address)) !== userId) throw inUse()
    if (!isNew) return
    yield* onAttached?.(userId, proof.address) ?? nothing()
    yield* audit.record({
      act: 'account.address_added',
      by,
      on: userId,
      details: { address: proof.address },
    })
  }

  function* detach(userId: string, address: string, by: Actor): Tx<void> {
    if (yield* rows.deleteThreepid(userId, EMAIL, address))
      yield* audit.record({ act: 'account.address_removed', by, on: userId, details: { address } })
  }

  return {
    isOffered: mail !== undefined,
    requestEmail,
    async opened(sid, token) {
      const session = await store.read('threepids.opened', () => withToken(sid, token))
      return session === undefined ? undefined : openedLink(session)
    },
    async confirm(sid, token) {
      const now = clock.now()
      const session = await store.write('threepids.confirm', function* () {
        const found = yield* withToken(sid, token)
        if (found !== undefined) yield* sessions.setThreepidValidated(sid, now, now + LIFETIME_MS)
        return found
      })
      return session === undefined ? undefined : openedLink(session)
    },
    list: (userId) => store.read('threepids.list', () => rows.threepidsOf(userId)),
    checkProved: (purpose, credentials) =>
      store.read('threepids.checkProved', () => proved(purpose, credentials)),
    addressOf: (purpose, sessionId) =>
      store.read('threepids.addressOf', function* () {
        return proofOf(purpose, yield* sessions.threepidSession(sessionId, clock.now())).address
      }),
    async add(userId, credentials) {
      if (isLocked) throw locked()
      await store.write('threepids.add', function* () {
        const { sessionId } = yield* proved('add', credentials)
        const proof = yield* take('add', sessionId)
        gate?.check(proof.address)
        if ((yield* rows.threepidsOf(userId)).length >= MAX_ADDRESSES) throw tooManyAddresses()
        yield* attach(userId, proof)
      })
    },
    async remove(userId, medium, address) {
      if (isLocked) throw locked()
      const canonical = medium === EMAIL ? canonicalEmail(address) : undefined
      if (canonical === undefined) return
      await store.write('threepids.remove', () => detach(userId, canonical, userActor(userId)))
    },
    async replace(userId, addresses, by = OPERATOR) {
      const wanted = new Set(addresses.map(accepted))
      if (wanted.size > MAX_ADDRESSES) throw tooManyAddresses()
      const now = clock.now()
      return await store.write('threepids.replace', function* () {
        const had = (yield* rows.threepidsOf(userId)).map((row) => row.address)
        const gone = had.filter((address) => !wanted.has(address))
        for (const address of gone) yield* detach(userId, address, by)
        for (const address of wanted)
          if (!had.includes(address)) yield* attach(userId, { sessionId: '', address, validatedTs: now }, by)
        return gone
      })
    },
    async change(userId, { from, to }, by) {
      const [gone, fresh] = [from, to].map((address) =>
        address === undefined ? undefined : accepted(address),
      )
      const now = clock.now()
      await store.write('threepids.change', function* () {
        const had = (yield* rows.threepidsOf(userId)).map((row) => row.address)
        if (gone !== undefined && !had.includes(gone)) throw unknownAddress()
        if (gone !== undefined) yield* detach(userId, gone, by)
        if (fresh === undefined || (fresh !== gone && had.includes(fresh))) return
        if (had.length - (gone === undefined ? 0 : 1) >= MAX_ADDRESSES) throw tooManyAddresses()
        yield* attach(userId, { sessionId: '', address: fresh, validatedTs: now }, by)
      })
    },
    async ownerOf(address) {
      const canonical = canonicalEmail(address)
      if (canonical === undefined) return undefined
      return await store.read('threepids.owner', () => rows.threepidOwner(EMAIL, canonical))
    },
    take,
    checkAdmitted,
    attach,
    prune: () =>
      store.write('threepids.prune', () => sessions.pruneThreepidSessions(clock.now(), MAX_SESSIONS)),
  }
}

/** For media that addresses of this server cannot be of. */
export const notSupported = (message: string): MatrixError =>
  new MatrixError('M_THREEPID_MEDIUM_NOT_SUPPORTED', message)
