import { setImmediate as nextTurn } from 'node:timers/promises'
import { readPdu } from '../../../core/event/format.js'
import { claimsHashOf } from '../../../core/event/hash.js'
import { redactedEvent } from '../../../core/event/redact.js'
import type { RoomEvent } from '../../../core/event/types.js'
import type { Json } from '../../../core/json/value.js'
import type { RoomVersionRules } from '../../../core/room-version/rules.js'
import { startDeadline } from '../../../platform/deadline.js'
import type { Logger } from '../../../platform/logger.js'
import type { Keys, SignatureVerdict } from '../../federation/keys.js'

export type IntakeResult =
  | { readonly ok: true; readonly event: RoomEvent }
  | {
      readonly ok: false
      readonly reason: string
      /** Where only a key is lacking: the event, not yet to be believed. Another try may succeed. */
      readonly unverified?: RoomEvent
    }

export interface IntakeOptions {
  /** Who handed them over, for the log. */
  readonly origin: string
  /** Decide by the keys already known; nothing is fetched. Default false. */
  readonly knownOnly?: boolean
  /** For all keys together, in milliseconds. Default 20,000. */
  readonly keyWaitMs?: number
}

/**
 * The checks of events from other servers that need no room: format, content hash (a wrong one leaves the redacted
 * form), signatures. In order of `pdus`; one bad event never fails the others. Never rejects for bad input, and lets
 * other work run in between.
 * SPEC: https://spec.matrix.org/v1.19/server-server-api/#checks-performed-on-receipt-of-a-pdu (1–3)
 */
export interface PduIntake {
  (
    pdus: readonly Json[],
    rules: RoomVersionRules,
    /** Undefined where the events say of which room they are, i.e. a create event of room version 12. */
    roomId: string | undefined,
    options: IntakeOptions,
  ): Promise<IntakeResult[]>
  /** The same for events that come one after the other, as a long answer is read: they are checked meanwhile. */
  open(rules: RoomVersionRules, roomId: string | undefined, options: IntakeOptions): OpenIntake
}

export interface OpenIntake {
  /** Takes the next event. The promise, where there is one, is to be awaited before the one after it is given. */
  add(json: Json): Promise<void> | undefined
  /** No more come. In order of `add`. */
  end(): Promise<IntakeResult[]>
}

/** Events read and hashed in one turn of the event loop. */
const BATCH = 64
/** Batches whose signatures the thread pool has at once: syncs of the disk queue behind them. */
const IN_FLIGHT = 2

/** The events that passed. */
export function accepted(results: readonly IntakeResult[]): RoomEvent[] {
  const events: RoomEvent[] = []
  // There may be tens of thousands: a list for each of them takes ten times as long.
  for (const result of results) if (result.ok) events.push(result.event)
  return events
}

export function createPduIntake(deps: {
  readonly keys: Pick<Keys, 'verifyEventSignatures'>
  readonly logger: Logger
}): PduIntake {
  const { keys, logger } = deps

  interface Open {
    readonly index: number
    readonly event: RoomEvent
    /** What its signatures cover. */
    readonly signed: string
  }
  /** Verdicts by the keys that are here. */
  async function judge(open: readonly Open[]): Promise<(readonly [Open, SignatureVerdict])[]> {
    const verdicts = await keys.verifyEventSignatures(
      open.map(({ event }) => event),
      { knownOnly: true, signedTexts: open.map(({ signed }) => signed) },
    )
    return open.map((item, at) => [item, verdicts[at]!] as const)
  }

  /** Has the keys of each of these events' signers fetched, for as long as there is time. */
  async function fetchKeys(samples: readonly RoomEvent[], waitMs: number): Promise<void> {
    const deadline = startDeadline(waitMs)
    const over = new Promise<void>((resolve) =>
      deadline.signal.addEventListener('abort', () => resolve(), { once: true }),
    )
    try {
      await Promise.race([Promise.all(samples.map((event) => keys.verifyEventSignatures([event]))), over])
    } finally {
      deadline.end()
    }
  }

  function open(rules: RoomVersionRules, roomId: string | undefined, options: IntakeOptions): OpenIntake {
    const results: IntakeResult[] = []
    const lacking: Open[] = []
    const unsure = new Map<string, RoomEvent>()
    function settle(judged: readonly (readonly [Open, SignatureVerdict])[], last: boolean): void {
      for (const [item, verdict] of judged) {
        if (verdict.ok) continue
        const { index, event } = item
        const mayChange = verdict.reason === 'unknown-key' || verdict.reason === 'expired-key'
        if (mayChange && !last) {
          unsure.set(verdict.server, event)
          lacking.push(item)
          continue
        }
        const reason = `signature of ${verdict.server}: ${verdict.reason}`
        results[index] =
          verdict.reason === 'unknown-key' ? { ok: false, reason, unverified: event } : { ok: false, reason }
      }
    }

    const final = options.knownOnly === true
    let batch: Json[] = []
    const verifying: Promise<void>[] = []

    /** The thread pool verifies some batches while the next is read and hashed here. */
    async function flush(): Promise<void> {
      const ready: Open[] = []
      const first = results.length
      for (const [at, json] of batch.entries()) {
        const { result, signed } = readOne(json, rules, roomId)
        results.push(result)
        if (result.ok) ready.push({ index: first + at, event: result.event, signed })
      }
      batch = []
      const settled = judge(ready).then((judged) => settle(judged, final))
      // A failure is met by an await below, some turns later.
      settled.catch(() => undefined)
      verifying.push(settled)
      if (verifying.length >= IN_FLIGHT) await verifying.shift()
      await nextTurn()
    }

    return {
      add(json) {
        batch.push(json)
        return batch.length < BATCH ? undefined : flush()
      },

      async end() {
        if (batch.length > 0) await flush()
        await Promise.all(verifying)
        if (lacking.length > 0) {
          await fetchKeys([...unsure.values()], options.keyWaitMs ?? 20_000)
          for (let start = 0; start < lacking.length; start += BATCH) {
            settle(await judge(lacking.slice(start, start + BATCH)), true)
          }
        }
        const refused = results.filter((result) => !result.ok)
        if (refused.length > 0) {
          logger.info(
            {
              origin: options.origin,
              roomId,
              refused: refused.length,
              of: results.length,
              reason: refused[0]?.reason,
            },
            'events of another server were dropped',
          )
        }
        return results
      },
    }
  }

  async function intake(
    pdus: readonly Json[],
    rules: RoomVersionRules,
    roomId: string | undefined,
    options: IntakeOptions,
  ): Promise<IntakeResult[]> {
    const inflow = open(rules, roomId, options)
    for (const json of pdus) await inflow.add(json)
    return inflow.end()
  }
  return Object.assign(intake, { open })
}

function readOne(
  json: Json,
  rules: RoomVersionRules,
  roomId: string | undefined,
): { readonly result: IntakeResult; readonly signed: string } {
  const read = readPdu(json, rules, roomId === undefined ? {} : { roomId })
  if (!read.ok) return { result: { ok: false, reason: read.reason }, signed: '' }
  const { event, forms } = read
  // What is redacted has the same signatures: they cover the redacted form.
  const whole = claimsHashOf(event.pdu, forms.hashed)
  return { result: { ok: true, event: whole ? event : redactedEvent(event) }, signed: forms.signed }
}
