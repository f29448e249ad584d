import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * The limits that a server of somebody else sets to the rate of requests. The tests wait as they are told to; for the tests of one file, which
 * jest gives modules of their own, no longer than `SPEC_TESTS_PATIENCE` seconds in all. A node of ours has no limits, unless the test is
 * about them.
 */
const SECONDS = Number(process.env['SPEC_TESTS_PATIENCE'] ?? 900)

/** Milliseconds; 0 where the answer is what the test wants to see. */
export const PATIENCE_MS = process.env['SPEC_TESTS_HOMESERVER'] === undefined ? 0 : SECONDS * 1_000
let leftMs = PATIENCE_MS

/** The server limits the rate of requests, so that the test says nothing. */
export class LimitedError extends Error {
  override readonly name = 'LimitedError'
}

/** Milliseconds that an answer asks for: in its body, or as HTTP has it. A second where it says nothing. */
export function askedPause(header: string | null, body: unknown): number {
  const { retry_after_ms: told } = (body ?? {}) as { retry_after_ms?: unknown }
  if (typeof told === 'number' && told >= 0) return told
  const seconds = Number(header ?? NaN)
  return seconds >= 0 ? seconds * 1_000 : 1_000
}

/** Waits until a request that was refused with 429 may be made again. Throws LimitedError where that is more than what is left. */
export async function waitFor(request: string, header: string | null, body: unknown): Promise<void> {
  // A little more, so that rounding costs no further round.
  const pause = askedPause(header, body) + 20
  const log = process.env['SPEC_TESTS_WAITS']
  if (pause > leftMs) {
    throw new LimitedError(
      `the server limits the rate of ${request}: it asks for ${Math.ceil(pause / 1_000)} s more, ` +
        `and the tests of one section wait ${SECONDS} s in all`,
    )
  }
  leftMs -= pause
  if (log !== undefined) appendFileSync(log, `${JSON.stringify([request, pause])}\n`)
  await sleep(pause)
}
