import { OPERATOR, type Actor } from '../../core/audit/acts.js'
import type { ChainedEntry } from '../../core/audit/entry.js'
import type { ChainHead } from '../../core/audit/follow-chain.js'
import type { DepositedHead } from '../../core/audit/signed-head.js'
import { invalidParam, MatrixError, notFound } from '../../core/errors.js'
import type { JsonObject } from '../../core/json/value.js'
import { userById, type UserRow } from '../../storage/tables/users.js'
import type { RegistrationTokenRow } from '../../storage/tables/registration-tokens.js'
import type { Store } from '../../storage/tx.js'
import type { Accounts } from '../accounts/accounts.js'
import type { ReportRow } from '../../storage/tables/reports.js'
import type { KeptDeposits } from '../audit-deposits/keep-deposits.js'
import type { MadeDeposits } from '../audit-deposits/make-deposits.js'
import type { AccountValidity } from '../account-validity/account-validity.js'
import type { Audit } from '../audit/audit.js'
import type { AuditCut, AuditCuts } from '../audit-deposits/audit-cuts.js'
import { workOnCase, type CaseDesk, type CaseRequest } from './case-work.js'
import type { OwnKeys, Rotation } from '../federation/own-keys.js'
import type { Reports } from '../reports/reports.js'
import type { FactorRequest, SecondFactor } from '../second-factor/second-factor.js'
import { isServerName } from '../../core/ids/server-name.js'
import type { RoomComparison, RoomHealing, RoomHealth } from '../replication/receiving/room-comparison.js'
import { loginCandidates } from '../accounts/localpart.js'

/** A registration token as operators see it. */
export interface TokenInfo {
  readonly token: string
  /** Null: any number. */
  readonly usesAllowed: number | null
  readonly completed: number
  /** Uses that registrations under way have reserved. */
  readonly pending: number
  /** Milliseconds since 1970; null: never. */
  readonly expiresTs: number | null
}

/**
 * What whoever runs the machine may do to accounts, with the command line. Users are named by localpart or by whole id; every
 * function gives the whole id of the account. `by`: for the audit log, who it is unless it is whoever has the machine. Throws MatrixErrors: M_INVALID_PARAM, M_NOT_FOUND, M_WEAK_PASSWORD.
 */
export interface Operator {
  register(account: {
    readonly localpart: string
    /** Undefined: nobody can log in with one. */
    readonly password: string | undefined
    readonly admin: boolean
    readonly displayName?: string
    readonly by?: Actor
  }): Promise<string>
  /** Ends every session of the account unless told not to: devices and tokens go, those that are cached too. */
  resetPassword(user: string, password: string, logoutDevices?: boolean, by?: Actor): Promise<string>
  setAdmin(user: string, admin: boolean, by?: Actor): Promise<string>
  /** For ever. The account leaves its rooms afterwards; with `erase` its profile and account data go too. */
  deactivate(user: string, erase: boolean, by?: Actor): Promise<string>
  /**
   * Another key signs for this server from now on, and the present one is published as one of before. The new one is made, or is that of
   * `keyFile`, the text of a key file.
   */
  rotateKey(keyFile?: string): Promise<Rotation>
  /** Tells a user something in the name of the server. Throws M_UNKNOWN where notices are not switched on. */
  notify(user: string, text: string): Promise<string>
  createToken(wish: {
    readonly token?: string
    readonly usesAllowed?: number
    readonly expiresTs?: number
  }): Promise<string>
  listTokens(): Promise<readonly TokenInfo[]>
  revokeToken(token: string): Promise<void>
  /** Newest first; `before`: with lower numbers only. */
  listReports(page: { readonly before?: number; readonly limit: number }): Promise<readonly ReportInfo[]>
  /** Throws M_NOT_FOUND. */
  deleteReport(id: number): Promise<void>
  /** See `RoomHealth`. */
  compareState(roomId: string, server: string): Promise<RoomComparison>
  healRoom(roomId: string): Promise<RoomHealing>
  /** See `CaseDesk`. */
  workOnCase(request: CaseRequest): Promise<JsonObject>
  /** When an account expires. Throws M_UNRECOGNIZED where none does. */
  accountExpiry(user: string): Promise<AccountExpiry>
  /** `expiresTs` undefined: one period from now. */
  extendAccount(user: string, expiresTs: number | undefined): Promise<AccountExpiry>
  /** See `SecondFactor`. */
  secondFactor(request: FactorRequest): Promise<JsonObject>
  /** Entries of the audit log after one, at most 500, and where the log ends. */
  auditLog(page: { readonly after: number; readonly limit: number }): Promise<AuditPage>
  /** To be called before the log is shown to people: that it was is an act too. */
  auditShown(what: { readonly how: string; readonly from: number }): Promise<void>
  /** Where the log ended when its head was last left with another server. Undefined: it never was. Throws M_UNKNOWN. */
  auditDeposit(server: string): Promise<DepositedHead | undefined>
  /** See `KeptDeposits.forget`. */
  forgetAuditDeposit(server: string): Promise<void>
}

export interface AccountExpiry {
  readonly userId: string
  /** Milliseconds since 1970; null: never. */
  readonly expiresTs: number | null
}

export interface AuditPage {
  readonly entries: readonly ChainedEntry[]
  readonly head: ChainHead
  /** Where the entries begin, if what was before was cut off. */
  readonly cut?: AuditCut
}

const MAX_AUDIT_PAGE = 500

/** What a user has reported. Empty texts stand for what a report of its kind does not name. */
export interface ReportInfo {
  readonly id: number
  readonly kind: string
  readonly reporter: string
  readonly roomId: string
  readonly eventId: string
  readonly userId: string
  readonly reason: string
  /** JSON, as the reporter saw it. */
  readonly event: string | null
  readonly createdTs: number
}

const reportInfo = (row: ReportRow): ReportInfo => ({
  id: row.report_id,
  kind: row.kind,
  reporter: row.reporter,
  roomId: row.room_id,
  eventId: row.event_id,
  userId: row.user_id,
  reason: row.reason,
  event: row.event_json,
  createdTs: row.created_ts,
})

const tokenInfo = (row: RegistrationTokenRow): TokenInfo => ({
  token: row.token,
  usesAllowed: row.uses_allowed,
  completed: row.completed,
  pending: row.pending,
  expiresTs: row.expires_ts,
})

export function createOperator(deps: {
  readonly store: Store
  readonly accounts: Accounts
  readonly reports: Pick<Reports, 'list' | 'delete'>
  readonly serverName: string
  readonly rooms: RoomHealth
  readonly accountValidity: AccountValidity | undefined
  readonly desk: CaseDesk
  readonly audit: Audit
  readonly secondFactor: Pick<SecondFactor, 'manage'>
  readonly auditDeposits: { readonly kept: KeptDeposits; readonly made: MadeDeposits }
  readonly auditCuts: Pick<AuditCuts, 'last'>
  readonly rotateKey: OwnKeys['rotate']
  readonly notices: {
    send(notice: { readonly userId: string; readonly content: JsonObject }): Promise<unknown>
  }
}): Operator {
  const { store, accounts, reports, serverName } = deps

  async function find(user: string): Promise<UserRow> {
    const candidates = loginCandidates(user, serverName)
    if (candidates.length === 0) throw invalidParam(`\`${user}\` is no user of ${serverName}`)
    const row = await store.read('operator.find', function* () {
      for (const candidate of candidates) {
        const found = yield* userById(candidate)
        if (found !== undefined) return found
      }
      return undefined
    })
    if (row === undefined) throw notFound(`There is no account ${candidates[0]!}`)
    if (row.deactivated === 1) throw invalidParam(`${row.user_id} is deactivated, and stays so`)
    return row
  }

  /** A person's account, which has a password and may have rights. */
  async function person(user: string): Promise<string> {
    const row = await find(user)
    if (row.is_guest === 1) throw invalidParam(`${row.user_id} is a guest`)
    if (row.appservice_id !== null)
      throw invalidParam(`${row.user_id} belongs to the application service ${row.appservice_id}`)
    return row.user_id
  }

  function validity(): AccountValidity {
    if (deps.accountValidity === undefined)
      throw new MatrixError(
        'M_UNRECOGNIZED',
        'Accounts do not expire here: `account_validity.enabled` is false',
      )
    return deps.accountValidity
  }

  return {
    listReports: async (page) => (await reports.list(page)).map(reportInfo),

    async deleteReport(id) {
      if (!(await reports.delete(id))) throw notFound(`There is no report ${id}`)
    },

    async compareState(roomId, server) {
      if (!isServerName(server)) throw invalidParam('That is no server name')
      if (server === serverName) throw invalidParam('That is this server itself')
      return deps.rooms.compare(roomId, server)
    },
    healRoom: (roomId) => deps.rooms.heal(roomId),
    workOnCase: (request) => workOnCase(deps.desk, request),
    async accountExpiry(user) {
      const { user_id: userId } = await find(user)
      return { userId, expiresTs: await validity().expiryOf(userId) }
    },
    async extendAccount(user, expiresTs) {
      const { user_id: userId } = await find(user)
      return { userId, expiresTs: await validity().set(userId, { expiresTs }, OPERATOR) }
    },
    secondFactor: (request) => deps.secondFactor.manage(request),
    async auditLog({ after, limit }) {
      // First the head: what is written meanwhile may be among the entries, and what the head names must be.
      const head = await deps.audit.head()
      const entries = await deps.audit.entries(after, Math.min(limit, MAX_AUDIT_PAGE))
      const cut = await deps.auditCuts.last()
      return { head, entries, ...(cut && { cut }) }
    },
    auditShown: ({ how, from }) =>
      deps.audit.note({
        act: 'data.exported',
        by: OPERATOR,
        on: 'audit log',
        details: { operation: how, from },
      }),
    auditDeposit: (server) => deps.auditDeposits.made.depositedWith(server),
    forgetAuditDeposit: (server) => deps.auditDeposits.kept.forget(server),
    register: (account) => accounts.registration.createUser({ by: OPERATOR, ...account }),
    async resetPassword(user, password, logoutDevices = true, by = OPERATOR) {
      const userId = await person(user)
      await accounts.credentials.changePassword(userId, password, {
        keepDeviceId: undefined,
        logoutDevices,
        by,
      })
      return userId
    },
    async setAdmin(user, admin, by = OPERATOR) {
      const userId = await person(user)
      await accounts.moderation.setAdmin(userId, admin, by)
      return userId
    },
    async deactivate(user, erase, by = OPERATOR) {
      const { user_id: userId } = await find(user)
      await accounts.credentials.deactivate(userId, erase, by)
      return userId
    },
    async notify(user, text) {
      const { user_id: userId } = await find(user)
      await deps.notices.send({ userId, content: { msgtype: 'm.text', body: text } })
      return userId
    },
    rotateKey: deps.rotateKey,
    createToken: (wish) => accounts.registrationTokens.create(wish),
    listTokens: async () => (await accounts.registrationTokens.list()).map(tokenInfo),
    async revokeToken(token) {
      if (!(await accounts.registrationTokens.delete(token)))
        throw notFound('There is no such registration token')
    },
  }
}
