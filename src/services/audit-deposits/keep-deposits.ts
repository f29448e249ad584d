import { SERVER } from '../../core/audit/acts.js'
import { followDigests, type ChainHead } from '../../core/audit/follow-chain.js'
import { readHead } from '../../core/audit/signed-head.js'
import { forbidden, MatrixError, notFound } from '../../core/errors.js'
import { canonicalJson } from '../../core/json/canonical.js'
import type { JsonObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import { auditDepositOf, deleteAuditDeposit, putAuditDeposit } from '../../storage/tables/audit.js'
import type { Store, Tx } from '../../storage/tx.js'
import type { AuditTrail } from '../audit/trail.js'
import type { Keys } from '../federation/keys.js'

/** Digests in one request. */
export const MAX_DIGESTS = 1_000
/** The log does not go on from what was deposited: somebody went back, or wrote it anew. */
export const NOT_CONTINUED = 'ORG.CHANCERY.AUDIT_NOT_CONTINUED'
/** The digests do not begin where this node's knowledge of the log ends. */
export const NOT_FOLLOWING = 'ORG.CHANCERY.AUDIT_NOT_FOLLOWING'

/** Keeps the heads of the audit logs of member nodes, each going on from the one before. */
export interface KeptDeposits {
  /**
   * Takes the signed head of a member's log with the digests of the entries since the last one; the first needs none. Throws M_FORBIDDEN
   * for servers that are no members, M_BAD_JSON, NOT_CONTINUED, NOT_FOLLOWING.
   */
  deposit(origin: string, document: JsonObject, digests: readonly string[]): Promise<void>
  /** The document as it was deposited, for the server that did. Throws M_FORBIDDEN, M_NOT_FOUND. */
  depositOf(origin: string): Promise<JsonObject>
  /** Forgets what a member deposited, so that a log that was restored from a backup may begin anew. Throws M_NOT_FOUND. */
  forget(server: string): Promise<void>
}

export function createKeptDeposits(deps: {
  readonly store: Store
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
  readonly audit: AuditTrail
  readonly keys: Pick<Keys, 'verifyJson'>
  readonly isMember: (serverName: string) => boolean
}): KeptDeposits {
  const { store, clock, logger, audit, keys, isMember } = deps

  function refuseStrangers(origin: string): void {
    if (!isMember(origin)) throw forbidden('Audit logs of member nodes alone are kept here')
  }

  /** Post: throws unless the head goes on from what is kept. */
  function* check(origin: string, head: ChainHead, digests: readonly string[]): Tx<void> {
    const kept = yield* auditDepositOf(origin)
    if (kept === undefined) return
    if (head.id < kept.id) throw notContinued(kept.id)
    if (kept.id + digests.length !== head.id)
      throw new MatrixError(NOT_FOLLOWING, 'Digests of the entries since the last deposit are needed', { id: kept.id }, 409) // prettier-ignore
    if (followDigests(kept, digests).hash !== head.hash) throw notContinued(kept.id)
  }

  return {
    async deposit(origin, document, digests) {
      refuseStrangers(origin)
      const head = readHead(document)
      if (head === undefined || head.serverName !== origin)
        throw new MatrixError('M_BAD_JSON', 'This is not the head of the audit log of this server')
      const signed = await keys.verifyJson(origin, document)
      if (!signed.ok) throw forbidden('The head does not bear a signature of this server')
      try {
        await store.write('audit.deposit', function* () {
          yield* check(origin, head, digests)
          yield* putAuditDeposit({
            server: origin,
            id: head.id,
            hash: head.hash,
            document: canonicalJson(document),
            received_ts: clock.now(),
          })
        })
      } catch (error) {
        if (error instanceof MatrixError && error.errcode === NOT_CONTINUED) {
          const { id } = head
          logger.error({ origin, id, kept: error.extra['id'] }, 'the audit log of a member does not go on from what it deposited here') // prettier-ignore
          audit.count({ act: 'audit.head_refused', by: SERVER, on: origin, outcome: NOT_CONTINUED })
        }
        throw error
      }
    },

    async depositOf(origin) {
      refuseStrangers(origin)
      const row = await store.read('audit.depositOf', () => auditDepositOf(origin))
      if (row === undefined) throw notFound('Nothing was deposited here')
      return JSON.parse(row.document) as JsonObject
    },

    async forget(server) {
      if (!(await store.write('audit.forgetDeposit', () => deleteAuditDeposit(server))))
        throw notFound(`Nothing is kept of the audit log of ${server}`)
    },
  }
}

const notContinued = (id: number): MatrixError =>
  new MatrixError(
    NOT_CONTINUED,
    `The audit log does not go on from entry ${id}, which was deposited here`,
    { id },
    409,
  )
