import { setMaxListeners } from 'node:events'
import { backoffDelay } from '../../platform/backoff.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import type { Random } from '../../platform/random.js'
import { clearAppserviceTransaction, oldestForAppservice } from '../../storage/tables/appservices.js'
import type { Store } from '../../storage/tx.js'
import { FederationError } from '../federation/federation-error.js'
import type { AppserviceClient } from './client.js'
import type { Appservice } from './registry.js'
import type { Place, Transaction, Transactions } from './transactions.js'

/**
 * Sends application services what waits for them, in order: each has one transaction under way, which is repeated, ever more rarely, until it
 * is taken. One that fails or hangs holds up nobody but itself.
 */
export interface AppserviceSender {
  /** Something is on disk for these. */
  wake(appserviceIds: Iterable<string>): void
  /** Something may be there for those that want more than events; they look a few times a second at most. */
  nudge(): void
  /** It answers again, as its own ping has shown: no need to wait. */
  retryNow(appserviceId: string): void
  /** At start: goes on with what waits. */
  start(): void
  /** How many did not take their last transaction. */
  readonly failing: number
  /** How long the oldest thing waits that some application service has not taken, in seconds; 0 where nothing does. */
  lag(): Promise<number>
  /** Ends requests under way; what they carried is sent again after the next start. */
  close(): Promise<void>
}

export interface AppserviceSenderOptions {
  readonly backoff: { readonly initialMs: number; readonly maxMs: number }
  /** For one transaction. */
  readonly timeoutMs: number
}

export interface AppserviceSenderDeps {
  readonly store: Store
  readonly clock: Pick<Clock, 'now' | 'monotonic'>
  readonly random: Pick<Random, 'bytes'>
  readonly logger: Logger
  readonly appservices: readonly Appservice[]
  readonly client: AppserviceClient
  readonly transactions: Transactions
  /** Where typing and presence stand now: what was before the start is told to nobody. */
  readonly fleeting: number
  /** For metrics. */
  onAttempt?(appserviceId: string, ok: boolean): void
  readonly options: AppserviceSenderOptions
}

/** Looks for what comes without an event, in milliseconds. */
const NUDGE_EVERY = 100
const STORE_RETRY_MS = 5_000
const SOME_LOGGED = 10

interface Lane {
  readonly appservice: Appservice
  readonly place: Place
  /** Something came while it was at work. */
  again: boolean
  work: Promise<void> | undefined
  timer: NodeJS.Timeout | undefined
  failures: number
  nudged: NodeJS.Timeout | undefined
}

export function createAppserviceSender(deps: AppserviceSenderDeps): AppserviceSender {
  const { store, clock, random, logger, client, transactions, options } = deps
  const stopping = new AbortController()
  setMaxListeners(0, stopping.signal)
  let started = false
  const lanes = new Map(
    deps.appservices
      .filter((one) => one.registration.url !== undefined)
      .map((appservice): [string, Lane] => [
        appservice.id,
        {
          appservice,
          place: { fleeting: deps.fleeting, scanned: 0 },
          again: false,
          work: undefined,
          timer: undefined,
          failures: 0,
          nudged: undefined,
        },
      ]),
  )
  const wantsMore = [...lanes.values()].filter(
    ({ appservice: { registration } }) => registration.receivesEphemeral || registration.encrypts,
  )

  /** Throws FederationError where it was not taken. */
  async function send({ appservice }: Lane, { id, body }: Transaction): Promise<void> {
    const path = `/transactions/${encodeURIComponent(id)}`
    const answer = await client.ask(appservice, {
      method: 'PUT',
      path,
      legacyPath: path,
      body,
      timeoutMs: options.timeoutMs,
      signal: stopping.signal,
    })
    if (answer.status < 200 || answer.status > 299)
      throw new FederationError('status', `the application service answered ${answer.status}`, {
        status: answer.status,
      })
    await store.write('appservices.taken', () => clearAppserviceTransaction(appservice.id, id))
  }

  /** Gives the pause, in milliseconds. */
  function failed(lane: Lane, error: FederationError): number {
    lane.failures++
    deps.onAttempt?.(lane.appservice.id, false)
    const pause = backoffDelay(options.backoff, lane.failures, random)
    // The first tells the operator; of hundreds that follow, some.
    if (lane.failures === 1 || lane.failures % SOME_LOGGED === 0)
      logger.warn(
        { appservice: lane.appservice.id, failures: lane.failures, reason: error.message, pause },
        'an application service does not take its transaction',
      )
    return pause
  }

  /** Gives when to try again, in milliseconds; undefined: when something comes. */
  async function work(lane: Lane): Promise<number | undefined> {
    while (!stopping.signal.aborted) {
      lane.again = false
      const transaction = await transactions.next(lane.appservice, lane.place)
      if (transaction === undefined) {
        if (lane.again) continue
        return undefined
      }
      try {
        await send(lane, transaction)
      } catch (error) {
        if (stopping.signal.aborted) return undefined
        if (error instanceof FederationError) return failed(lane, error)
        throw error
      }
      if (lane.failures > 0)
        logger.info({ appservice: lane.appservice.id }, 'an application service takes its transactions again')
      lane.failures = 0
      deps.onAttempt?.(lane.appservice.id, true)
    }
    return undefined
  }

  function run(lane: Lane): void {
    lane.again = true
    if (!started || stopping.signal.aborted || lane.work !== undefined || lane.timer !== undefined) return
    lane.work = work(lane)
      .catch((error: unknown) => {
        logger.error(
          { err: error, appservice: lane.appservice.id },
          'a transaction cannot be made; tried again',
        )
        return STORE_RETRY_MS
      })
      .then((pause) => {
        lane.work = undefined
        if (stopping.signal.aborted) return
        if (pause === undefined) {
          if (lane.again) run(lane)
          return
        }
        lane.timer = setTimeout(() => {
          lane.timer = undefined
          run(lane)
        }, pause)
        lane.timer.unref()
      })
  }

  function nudgeOne(lane: Lane): void {
    if (lane.nudged !== undefined || stopping.signal.aborted) return
    lane.nudged = setTimeout(() => {
      lane.nudged = undefined
      run(lane)
    }, NUDGE_EVERY)
    lane.nudged.unref()
  }

  return {
    wake(ids) {
      for (const id of ids) {
        const lane = lanes.get(id)
        if (lane !== undefined) run(lane)
      }
    },
    nudge() {
      if (started) for (const lane of wantsMore) nudgeOne(lane)
    },
    retryNow(id) {
      const lane = lanes.get(id)
      if (lane === undefined) return
      clearTimeout(lane.timer)
      lane.timer = undefined
      run(lane)
    },
    start() {
      started = true
      for (const lane of lanes.values()) run(lane)
    },
    get failing() {
      return [...lanes.values()].filter((lane) => lane.failures > 0).length
    },
    async lag() {
      let oldest: number | undefined
      for (const id of lanes.keys()) {
        const ts = await store.read('appservices.lag', () => oldestForAppservice(id))
        if (ts !== undefined && (oldest === undefined || ts < oldest)) oldest = ts
      }
      return oldest === undefined ? 0 : Math.max(0, clock.now() - oldest) / 1_000
    },
    async close() {
      stopping.abort()
      for (const lane of lanes.values()) {
        clearTimeout(lane.timer)
        clearTimeout(lane.nudged)
      }
      await Promise.all([...lanes.values()].map(async (lane) => await lane.work))
    },
  }
}
