import { entryDigest } from '../../core/audit/entry.js'
import type { ChainHead } from '../../core/audit/follow-chain.js'
import { headJson, readHead, type DepositedHead } from '../../core/audit/signed-head.js'
import { MatrixError } from '../../core/errors.js'
import { signJson, type Signer } from '../../core/event/sign.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import type { Audit } from '../audit/audit.js'
import { FederationError, isRetryable, type FederationClient } from '../federation/client.js'
import type { Keys } from '../federation/keys.js'
import { MAX_DIGESTS, NOT_CONTINUED, NOT_FOLLOWING } from './keep-deposits.js'

/** `done`; `unreachable`: later perhaps; `refused`: the other server does not keep it; `not-continued`: the log here is not the one deposited there. */
export type DepositOutcome = 'done' | 'unreachable' | 'refused' | 'not-continued'

/** Leaves the head of this node's audit log with others, so that whoever could write the log anew is found out. */
export interface MadeDeposits {
  /** Job: deposits the present head with each of the servers that were chosen. Gives what became of it, by server. */
  deposit(): Promise<ReadonlyMap<string, DepositOutcome>>
  /** The last entry that all of the chosen servers know; 0 where one of them cannot be asked. */
  knownToAll(): Promise<number>
  /**
   * What a server says was last deposited with it, and this node's signature under it is right. Undefined: nothing was. Throws M_UNKNOWN where the
   * server cannot be asked, or answers with something else.
   */
  depositedWith(server: string): Promise<DepositedHead | undefined>
}

export const DEPOSIT_PATH = '/_matrix/federation/unstable/org.chancery/audit/head'
const TIMEOUT_MS = 30_000
/** A server that knows nothing of thousands of entries is told of them over several rounds. */
const MAX_ROUNDS = 100

export function createMadeDeposits(deps: {
  readonly serverName: string
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
  readonly audit: Pick<Audit, 'head' | 'entries'>
  readonly signer: Signer
  readonly client: Pick<FederationClient, 'request'>
  readonly keys: Pick<Keys, 'verifyJson'>
  readonly servers: readonly string[]
  readonly onOutcome?: (server: string, outcome: DepositOutcome) => void
}): MadeDeposits {
  const { serverName, clock, logger, audit, client } = deps
  /** What each server has, as far as this process knows. */
  const known = new Map<string, number>()

  function put(server: string, head: ChainHead, digests: readonly string[]): Promise<unknown> {
    const document = signJson(headJson({ serverName, ts: clock.now(), ...head }), deps.signer)
    return client.request({
      destination: server,
      method: 'PUT',
      path: DEPOSIT_PATH,
      body: { head: document, digests },
      timeoutMs: TIMEOUT_MS,
    })
  }

  /** Where the server's knowledge of the log ends; 0: it has none. */
  async function knownTo(server: string, end: ChainHead): Promise<number> {
    const last = known.get(server)
    // Where it seems to know more than there is, it may have been told to forget it.
    const id =
      (last !== undefined && last <= end.id ? last : undefined) ?? (await depositedWith(server))?.id ?? 0
    known.set(server, id)
    return id
  }

  /** One request. Gives the number of the last entry that the server has then. */
  async function round(server: string, end: ChainHead): Promise<number> {
    const from = await knownTo(server, end)
    // The first deposit begins where the log is now; one without news shows that the log still ends there; and where the log
    // ends before what was deposited, the other server shall hear of it.
    if (from === 0 || from >= end.id) {
      await put(server, end, [])
      return end.id
    }
    const rows = await audit.entries(from, MAX_DIGESTS)
    const last = rows.at(-1)
    if (last === undefined) throw new MatrixError(NOT_CONTINUED, 'The log ends before what was deposited')
    const digests = rows.map((row) => entryDigest(row.entry))
    await put(server, last, digests)
    return last.id
  }

  async function depositWith(server: string): Promise<DepositOutcome> {
    const end = await audit.head()
    if (end.id === 0) return 'done'
    let astray = false
    for (let n = 0; n < MAX_ROUNDS; n++) {
      try {
        const id = await round(server, end)
        known.set(server, id)
        if (id >= end.id) return 'done'
      } catch (error) {
        known.delete(server)
        // Another process of this node, or an answer that was lost: it is asked once more where it is.
        if (astray || errcodeOf(error) !== NOT_FOLLOWING) return outcomeOf(error)
        astray = true
      }
    }
    return 'done'
  }

  function told(server: string, outcome: DepositOutcome): DepositOutcome {
    if (outcome === 'not-continued')
      logger.error({ server }, 'the audit log does not go on from what was deposited with another server')
    else if (outcome !== 'done')
      logger.warn({ server, outcome }, 'the head of the audit log cannot be deposited')
    deps.onOutcome?.(server, outcome)
    return outcome
  }

  async function depositedWith(server: string): Promise<DepositedHead | undefined> {
    let answer
    try {
      answer = await client.request({
        destination: server,
        method: 'GET',
        path: DEPOSIT_PATH,
        timeoutMs: TIMEOUT_MS,
      })
    } catch (error) {
      if (errcodeOf(error) === 'M_NOT_FOUND') return undefined
      throw error
    }
    const head = readHead(answer)
    const signed =
      head?.serverName === serverName &&
      (await deps.keys.verifyJson(serverName, answer, { enforceValidity: false })).ok
    if (head === undefined || !signed)
      throw new FederationError('bad-response', 'the answer is not what this server has signed')
    return head
  }

  return {
    async deposit() {
      const outcomes = new Map<string, DepositOutcome>()
      for (const server of deps.servers) outcomes.set(server, told(server, await depositWith(server)))
      return outcomes
    },

    async knownToAll() {
      let least = Infinity
      for (const server of deps.servers) {
        try {
          // One that has nothing yet begins where the log is then.
          const last = known.get(server) ?? (await depositedWith(server))?.id ?? Infinity
          least = Math.min(least, last)
        } catch (error) {
          if (!(error instanceof FederationError)) throw error
          return 0
        }
      }
      return least
    },

    async depositedWith(server) {
      try {
        return await depositedWith(server)
      } catch (error) {
        if (!(error instanceof FederationError)) throw error
        throw new MatrixError('M_UNKNOWN', `${server} cannot be asked: ${error.message}`)
      }
    },
  }
}

const errcodeOf = (error: unknown): string | undefined =>
  error instanceof FederationError || error instanceof MatrixError ? error.errcode : undefined

function outcomeOf(error: unknown): DepositOutcome {
  if (errcodeOf(error) === NOT_CONTINUED) return 'not-continued'
  if (!(error instanceof FederationError)) throw error
  return error.kind === 'status' && !isRetryable(error) ? 'refused' : 'unreachable'
}
