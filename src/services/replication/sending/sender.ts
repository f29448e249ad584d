import { setMaxListeners } from 'node:events'
import type { Clock } from '../../../platform/clock.js'
import type { Logger } from '../../../platform/logger.js'
import type { Random } from '../../../platform/random.js'
import { createSemaphore } from '../../../platform/semaphore.js'
import { deleteSent, destination as destinationRow, pendingDestinations, saveDestination } from '../../../storage/tables/outbox.js' // prettier-ignore
import type { Store } from '../../../storage/tx.js'
import { encodePath, FederationError, type FederationClient } from '../../federation/client.js'
import {
  afterFailure,
  HEALTHY,
  healthOf,
  rowOf,
  newDestination,
  takeEphemeral,
  type BackoffTimes,
  type Destination,
  type EphemeralEdu,
} from './destination-state.js'
import { nextBatch, sizeOf, type Batch } from './batch.js'
import { skipToLatest } from './catch-up.js'
import { createForgetting } from './forget-outbox.js'
import { boundOutbox } from './outbox-bounds.js'
import { createSharedRest } from './shared-rest.js'
import { afterRefused, afterTaken, nextAlone, NO_SUSPECTS } from './suspects.js'
import { transactionText, transactionId } from './transaction.js'
import { MAX_EDUS, MAX_PDUS } from '../peers/transaction-limits.js'

/**
 * Sends what waits in the outbox, one transaction at a time to each destination. What is in the outbox stays there
 * until its receiver has answered 200; what is ephemeral is sent once or not at all.
 */
export interface Sender {
  /** Something was written to the outbox for these servers. */
  wake(destinations: Iterable<string>): void
  /** Sends an EDU that may be lost; a newer one with the same key replaces it while it waits. */
  sendEphemeral(destinations: readonly string[], edu: EphemeralEdu, coalesceKey: string): void
  /** At start: goes on with everything that waits. */
  resume(): Promise<void>
  /** A request of this server arrived, so it is up: what waits for it is tried at once. */
  onContact(serverName: string): void
  /** How many destinations have something waiting or under way, and how many of them fail. */
  stats(): { readonly active: number; readonly failing: number }
  /** Ends the requests under way. Nothing durable is lost. */
  close(): Promise<void>
}

export interface SenderOptions {
  readonly backoff: BackoffTimes
  /** Requests to servers that work, at once. Default 64. */
  readonly maxParallel?: number
  /** Requests to servers that failed last time, at once: the dead never hold up the living. Default 16. */
  readonly maxRetriesParallel?: number
  /** For one transaction, in milliseconds. Default 60,000. */
  readonly timeoutMs?: number
  /** EDUs of each type kept for a server that does not answer; messages to devices and changes of keys are kept all. Default 10,000. */
  readonly maxWaitingEdus?: number
  /** For how long a server must have been away before the latest events of a crowded room do, in milliseconds. Default an hour. */
  readonly catchUpAfterMs?: number
  /** PDUs of one room that are sent whole even then. Default 500. */
  readonly catchUpPerRoom?: number
}

export interface SenderDeps {
  readonly store: Store
  readonly client: Pick<FederationClient, 'request'>
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly serverName: string
  readonly options: SenderOptions
  /** Whether this server speaks to that one at all; default: to all. What was put aside for others is removed. */
  federates?(serverName: string): boolean
  /** After each attempt, for metrics. */
  onAttempt?(outcome: { readonly ok: boolean; readonly pdus: number; readonly edus: number }): void
}

const MAX_EPHEMERAL = 100
/** Answers that may mean that this very content is refused; others say that the server is in trouble, or we are. */
const CONTENT_REFUSED = new Set([400, 413, 422])
/** So often a single PDU or EDU is offered before another one is tried in its place. */
const MAX_REFUSALS = 3
const MAX_TIMER = 2 ** 31 - 1
const WHOLE = { pdus: MAX_PDUS, edus: MAX_EDUS }

/** TODO: several processes on one PostgreSQL need one owner for each destination, by a lease. */
export function createSender(deps: SenderDeps): Sender {
  const { store, client, clock, random, logger, serverName, options } = deps
  const destinations = new Map<string, Destination>()
  const healthy = createSemaphore({ permits: options.maxParallel ?? 64 })
  const retries = createSemaphore({ permits: options.maxRetriesParallel ?? 16 })
  const closing = new AbortController()
  // Everything under way listens to it.
  setMaxListeners(0, closing.signal)
  const loops = new Set<Promise<void>>()
  const pauses = createSharedRest(() => loops.size)

  const federates = (name: string): boolean => name !== serverName && (deps.federates?.(name) ?? true)
  const forgetting = createForgetting(store, logger)

  function stateOf(name: string): Destination {
    let state = destinations.get(name)
    if (state === undefined) destinations.set(name, (state = newDestination(name, random, MAX_PDUS)))
    return state
  }

  function start(state: Destination): void {
    if (closing.signal.aborted) return
    if (state.running) {
      state.again = true
      return
    }
    if (state.timer !== undefined) return
    state.running = true
    const loop = run(state)
      .catch((error: unknown) => {
        if (closing.signal.aborted) return
        logger.error({ err: error, destination: state.name }, 'sending to a server failed here')
        pause(state, options.backoff.initialMs)
      })
      .finally(() => {
        state.running = false
        loops.delete(loop)
        if (state.again && state.timer === undefined) start(state)
        else if (state.timer === undefined) destinations.delete(state.name)
      })
    loops.add(loop)
  }

  function pause(state: Destination, ms: number): void {
    clearTimeout(state.timer)
    state.timer = setTimeout(
      () => {
        state.timer = undefined
        state.rested = true
        start(state)
      },
      Math.min(Math.max(ms, 1), MAX_TIMER),
    )
    state.timer.unref()
  }

  async function run(state: Destination): Promise<void> {
    let batch: Batch | undefined
    while (!closing.signal.aborted) {
      if (state.health === undefined) {
        state.again = false
        const first = await store.read('sender.first', function* () {
          return { row: yield* destinationRow(state.name), batch: yield* nextBatch(state.name, WHOLE) }
        })
        state.health = healthOf(first.row, clock.now(), options.backoff)
        if (state.limit === MAX_PDUS) batch = first.batch
      }
      // A clock that steps back meanwhile makes no pause longer.
      const wait = state.rested ? 0 : state.health.retryAt - clock.now()
      state.rested = false
      if (wait > 0) {
        state.ephemeral.clear()
        pause(state, wait)
        return
      }
      const lane = state.health.failingSince === undefined ? healthy : retries
      const known = batch
      batch = undefined
      const outcome = await lane.run(() => attempt(state, known), closing.signal)
      if (typeof outcome === 'object') {
        await pauses.rest()
        state.again = false
        batch = await succeeded(state, outcome)
      } else if (outcome === 'paused' || (outcome === 'nothing' && !state.again)) return
    }
  }

  /**
   * Sends one transaction, of what was read before where that is given, and gives what it was; otherwise that nothing waits, that the
   * rest of what was refused is to be looked for, or that a pause was begun.
   */
  async function attempt(
    state: Destination,
    known: Batch | undefined,
  ): Promise<Batch | 'nothing' | 'more' | 'paused'> {
    // What comes from here on may be missed by what is read: it is looked for once more.
    if (known === undefined) state.again = false
    const { suspects } = state
    const isAlone = suspects.items.length > 0
    const whole = state.limit >= MAX_PDUS && !isAlone
    const ephemeral = whole ? takeEphemeral(state, clock) : []
    const read = (pdus: number, edus: number): Promise<Batch> =>
      store.read('sender.batch', () => nextBatch(state.name, { pdus, edus }))
    const { pdus: maxPdus, edus: maxEdus } = whole ? WHOLE : { pdus: state.limit, edus: 0 }
    let batch =
      known ??
      (isAlone
        ? await store.read('sender.alone', () => nextAlone(state.name, suspects))
        : await read(maxPdus, maxEdus))
    // A part of a refused transaction: its PDUs first, then its EDUs.
    if (!whole && !isAlone && batch.pdus.length === 0) batch = await read(0, state.limit)
    const spare = MAX_EDUS - ephemeral.length
    if (batch.edus.length > spare) batch = { pdus: batch.pdus, edus: batch.edus.slice(0, spare) }
    const [pdus, edus] = [batch.pdus.length, batch.edus.length + ephemeral.length]
    if (pdus + edus === 0) {
      if (whole) return 'nothing'
      state.limit = MAX_PDUS
      state.suspects = NO_SUSPECTS
      return 'more'
    }
    try {
      state.lastAttempt = clock.monotonic()
      await client.request({
        destination: state.name,
        method: 'PUT',
        path: encodePath('/_matrix/federation/v1/send', transactionId(state.salt, batch, ephemeral)),
        text: transactionText(serverName, clock.now(), batch, ephemeral),
        timeoutMs: options.timeoutMs ?? 60_000,
        maxBytes: 1024 * 1024,
        signal: closing.signal,
      })
    } catch (error) {
      if (closing.signal.aborted) return 'paused'
      deps.onAttempt?.({ ok: false, pdus, edus })
      await failed(state, batch, error)
      return 'paused'
    }
    deps.onAttempt?.({ ok: true, pdus, edus })
    return batch
  }

  /** Removes what was sent, and gives what waits now; undefined for nothing, or where that is to be looked for in parts. */
  async function succeeded(state: Destination, batch: Batch): Promise<Batch | undefined> {
    const recovered = state.health!.failingSince !== undefined
    const suspects = afterTaken(state.suspects, batch)
    const limit = suspects.items.length > 0 ? 1 : Math.min(MAX_PDUS, state.limit * 2)
    const next = await store.write('sender.sent', function* () {
      yield* remove(state.name, batch)
      if (recovered) yield* saveDestination(rowOf(state.name, HEALTHY))
      return limit === MAX_PDUS ? yield* nextBatch(state.name, WHOLE) : undefined
    })
    if (recovered) logger.info({ destination: state.name }, 'a server answers again')
    state.health = HEALTHY
    state.salt = random.string(16)
    state.limit = limit
    state.refusals = 0
    state.suspects = suspects
    return next
  }

  const remove = (name: string, batch: Batch) =>
    deleteSent(
      name,
      batch.pdus.map((row) => row.event_nid),
      batch.edus,
    )

  /**
   * Every failure is followed by a pause: a transaction that a server refuses today it may take tomorrow. Where the
   * answer may mean the content, ever smaller parts are offered, and one item alone that is refused again and again is
   * passed over, so that it does not hold up all that follows: see `Suspects`.
   */
  async function failed(state: Destination, batch: Batch, error: unknown): Promise<void> {
    const known = error instanceof FederationError ? error : undefined
    const before = state.health!
    const health = afterFailure(before, options.backoff, { clock, random }, known?.retryAfterMs)
    // At once: the clock may step while the row is written.
    const rest = health.retryAt - clock.now()
    const items = sizeOf(batch)
    let givenUp = false
    if (known?.status !== undefined && CONTENT_REFUSED.has(known.status) && items > 0) {
      if (items > 1) {
        state.limit = Math.max(1, Math.floor(Math.min(items, state.limit) / 2))
      } else if (state.suspects.items.length > 0 || ++state.refusals >= MAX_REFUSALS) {
        const after = afterRefused(state.suspects, batch)
        givenUp = after.givenUp
        state.suspects = after.suspects
        state.refusals = 0
      }
      if (givenUp)
        logger.warn(
          { destination: state.name, status: known.status, reason: known.message, nids: batch.pdus.map((row) => row.event_nid), edu: batch.edus[0]?.edu_type },
          'a server refused something again and again and takes other things; it is not sent any more',
        ) // prettier-ignore
    }
    const longAway = clock.now() - health.failingSince! >= (options.catchUpAfterMs ?? 3_600_000)
    const maxWaiting = options.maxWaitingEdus ?? 10_000
    const { bounds, skipped } = await store.write('sender.failed', function* () {
      if (givenUp) yield* remove(state.name, batch)
      yield* saveDestination(rowOf(state.name, health))
      return {
        bounds: yield* boundOutbox(state.name, maxWaiting),
        skipped: longAway
          ? yield* skipToLatest(state.name, { perRoom: options.catchUpPerRoom ?? 500 })
          : undefined,
      }
    })
    if (skipped !== undefined && skipped.pdus > 0) {
      logger.info(
        { destination: state.name, ...skipped },
        'a server has been away for long; of rooms with much traffic it is sent the latest events, and asks for the others',
      )
    }
    if (bounds.kept > maxWaiting) {
      logger.warn(
        { destination: state.name, waiting: bounds.kept },
        'much waits for a server that does not answer; messages to devices and changes of keys are never dropped, and take room on the disk',
      )
    }
    if (bounds.dropped.size > 0) {
      logger.warn(
        { destination: state.name, dropped: Object.fromEntries(bounds.dropped) },
        'too much waits for a server that does not answer; the oldest EDUs were dropped',
      )
    }
    const report = before.failingSince === undefined ? logger.info : logger.debug
    report(
      { destination: state.name, reason: error instanceof Error ? error.message : 'unknown', pause: rest },
      'a server did not take a transaction',
    ) // prettier-ignore
    state.health = health
    state.ephemeral.clear()
    if (known === undefined) throw error
    pause(state, rest)
  }

  return {
    wake(names) {
      for (const name of names) {
        if (federates(name)) start(stateOf(name))
        else forgetting.forget(name)
      }
    },

    sendEphemeral(names, edu, coalesceKey) {
      if (closing.signal.aborted) return
      for (const name of names) {
        if (!federates(name)) continue
        const state = stateOf(name)
        // A server that does not answer has no use for the news of a second.
        if (state.timer !== undefined) continue
        state.ephemeral.delete(coalesceKey)
        if (state.ephemeral.size >= MAX_EPHEMERAL) state.ephemeral.delete(firstKey(state.ephemeral))
        state.ephemeral.set(coalesceKey, { edu, at: clock.monotonic() })
        start(state)
      }
    },

    async resume() {
      const names = await store.read('sender.pending', () => pendingDestinations())
      for (const name of names) {
        if (federates(name)) start(stateOf(name))
        else forgetting.forget(name)
      }
    },

    onContact(name) {
      const state = destinations.get(name)
      if (state?.timer === undefined) return
      // A server that talks to us and does not answer us must not make us ask all the time.
      if (clock.monotonic() - state.lastAttempt < options.backoff.initialMs) return
      clearTimeout(state.timer)
      state.timer = undefined
      if (state.health?.failingSince !== undefined)
        state.health = { ...state.health, retryAt: 0, interval: 0 }
      start(state)
    },

    stats() {
      const all = [...destinations.values()]
      return {
        active: all.length,
        failing: all.filter((state) => state.health?.failingSince !== undefined).length,
      }
    },

    async close() {
      closing.abort()
      pauses.end()
      for (const state of destinations.values()) clearTimeout(state.timer)
      await Promise.allSettled([...loops, forgetting.idle()])
      destinations.clear()
    },
  }
}

const firstKey = (map: ReadonlyMap<string, unknown>): string => map.keys().next().value!
