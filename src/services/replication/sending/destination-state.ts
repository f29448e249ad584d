import type { Clock } from '../../../platform/clock.js'
import type { Random } from '../../../platform/random.js'
import { backoffDelay } from '../../../platform/backoff.js'
import type { DestinationRow } from '../../../storage/tables/outbox.js'
import type { JsonObject } from '../../../core/json/value.js'
import { NO_SUSPECTS, type Suspects } from './suspects.js'

/** An EDU that need not survive a restart. */
export interface EphemeralEdu {
  readonly edu_type: string
  readonly content: JsonObject
}

/** How a destination fares, as its row says it. */
export interface Health {
  /** Milliseconds since 1970; undefined while it works. */
  readonly failingSince: number | undefined
  readonly retryAt: number
  /** The pause before jitter, in milliseconds. */
  readonly interval: number
}

export const HEALTHY: Health = { failingSince: undefined, retryAt: 0, interval: 0 }

/** What the sender knows of a server that it sends to now, or waits for. */
export interface Destination {
  readonly name: string
  running: boolean
  /** Something came that what was read last may not hold. */
  again: boolean
  /** Undefined until it was read. */
  health: Health | undefined
  lastAttempt: number
  timer: NodeJS.Timeout | undefined
  /** The pause has passed, by a timer: whatever the clock on the wall says now. */
  rested: boolean
  /** Part of transaction ids; a new one after each success. */
  salt: string
  /** How much the next transaction may hold: halved while the peer refuses the content. */
  limit: number
  refusals: number
  suspects: Suspects
  readonly ephemeral: Map<string, { readonly edu: EphemeralEdu; readonly at: number }>
}

export const newDestination = (name: string, random: Pick<Random, 'string'>, limit: number): Destination => ({
  name,
  running: false,
  again: false,
  health: undefined,
  lastAttempt: -Infinity,
  timer: undefined,
  rested: false,
  salt: random.string(16),
  limit,
  refusals: 0,
  suspects: NO_SUSPECTS,
  ephemeral: new Map(),
})

const EPHEMERAL_LIFE = 30_000

/** Takes what waits and is not too old to be of use. */
export function takeEphemeral(state: Destination, clock: Pick<Clock, 'monotonic'>): EphemeralEdu[] {
  const oldest = clock.monotonic() - EPHEMERAL_LIFE
  const taken = [...state.ephemeral.values()].filter(({ at }) => at > oldest).map(({ edu }) => edu)
  state.ephemeral.clear()
  return taken
}

export interface BackoffTimes {
  readonly initialMs: number
  readonly maxMs: number
}

export function healthOf(row: DestinationRow | undefined, now: number, { maxMs }: BackoffTimes): Health {
  if (row === undefined || row.failing_since === null) return HEALTHY
  return {
    failingSince: row.failing_since,
    // A clock that stepped back must not put a destination off for longer than any pause.
    retryAt: Math.min(row.retry_at ?? 0, now + maxMs),
    interval: row.retry_interval ?? 0,
  }
}

/** After one failure more. `atLeast`: what the peer asked for, in milliseconds. */
export function afterFailure(
  health: Health,
  times: BackoffTimes,
  deps: { readonly clock: Pick<Clock, 'now'>; readonly random: Pick<Random, 'bytes'> },
  atLeast = 0,
): Health {
  const now = deps.clock.now()
  const interval =
    health.interval === 0 ? times.initialMs : Math.min(times.maxMs, Math.max(1, health.interval) * 2)
  const pause = backoffDelay({ initialMs: interval, maxMs: times.maxMs }, 1, deps.random)
  return {
    failingSince: health.failingSince ?? now,
    retryAt: now + Math.max(pause, Math.min(atLeast, times.maxMs)),
    interval,
  }
}

export const rowOf = (serverName: string, health: Health): DestinationRow => ({
  server_name: serverName,
  failing_since: health.failingSince ?? null,
  retry_at: health.failingSince === undefined ? null : health.retryAt,
  retry_interval: health.failingSince === undefined ? null : health.interval,
})
