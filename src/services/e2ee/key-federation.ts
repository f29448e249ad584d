import type { Json, JsonObject } from '../../core/json/value.js'
import type { Clock } from '../../platform/clock.js'
import { createLru } from '../../platform/lru.js'
import { createSemaphore } from '../../platform/semaphore.js'
import { FederationError, isRetryable } from '../federation/federation-error.js'
import { limits, times } from './limits.js'

/** What is asked of other servers; the federation client does it. Rejects with FederationError. */
export interface KeyFederation {
  request(request: {
    readonly destination: string
    readonly method: 'GET' | 'POST'
    /** Encoded. */
    readonly path: string
    readonly body?: JsonObject
    readonly timeoutMs: number
    readonly maxBytes: number
  }): Promise<Json>
}

export interface KeyRequests {
  /** Fails at once for a server that failed a moment ago. */
  request(
    destination: string,
    request: { readonly method: 'GET' | 'POST'; readonly path: string; readonly body?: JsonObject },
    timeoutMs: number,
  ): Promise<Json>
}

/** How many requests for keys are on their way at once, to all servers together. */
const PARALLEL = 24

/**
 * Requests for keys, bounded in number and time. A dead server costs one client one time-out: for the next few seconds it
 * counts as failed without being asked.
 */
export function createKeyRequests(deps: {
  readonly federation: KeyFederation
  readonly clock: Clock
}): KeyRequests {
  const { federation, clock } = deps
  const slots = createSemaphore({ permits: PARALLEL, maxWaiting: 2_000 })
  const failed = createLru<string, true>({ max: 1_000, ttlMs: times.failureMemory, clock })

  return {
    async request(destination, request, timeoutMs) {
      const deadline = clock.monotonic() + timeoutMs
      return slots.run(async () => {
        const left = Math.ceil(deadline - clock.monotonic())
        if (failed.get(destination) !== undefined)
          throw new FederationError('unreachable', 'the server failed a moment ago')
        if (left <= 0) throw new FederationError('timeout', 'no time was left to ask the server')
        try {
          return await federation.request({
            destination,
            ...request,
            timeoutMs: left,
            maxBytes: limits.remoteAnswerBytes,
          })
        } catch (error) {
          if (isRetryable(error)) failed.set(destination, true)
          throw error
        }
      })
    },
  }
}

/** How a failure stands in `failures` of an answer. */
export function describeFailure(error: unknown): JsonObject {
  if (error instanceof FederationError) {
    return error.kind === 'status' && error.status !== undefined
      ? { status: error.status, message: error.message }
      : { status: 503, message: error.message }
  }
  return { status: 503, message: 'the server gave no usable answer' }
}

/** The time that a client allows for other servers, within bounds; milliseconds. */
export function clampTimeout(value: Json | undefined): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) return times.defaultTimeout
  return Math.min(times.maxTimeout, Math.max(1, Math.trunc(value)))
}
