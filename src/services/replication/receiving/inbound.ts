import { appendTo } from '../../../core/append-to.js'
import { badJson, invalidParam, MatrixError } from '../../../core/errors.js'
import { eventId } from '../../../core/event/event-id.js'
import { canonicalMode } from '../../../core/event/hash.js'
import type { Pdu, RoomEvent } from '../../../core/event/types.js'
import { parseUserId } from '../../../core/ids/user-id.js'
import { canonicalJson } from '../../../core/json/canonical.js'
import { isObject, ownValue, type Json, type JsonObject } from '../../../core/json/value.js'
import { deleteInBatches } from '../../../storage/delete-in-batches.js'
import { forgetTransactions, receivedTransaction, saveReceivedTransaction, stagePdus, type StagedPdu } from '../../../storage/tables/staging.js' // prettier-ignore
import type { RoomsContext } from '../../rooms/context.js'
import type { RoomSnapshot } from '../../rooms/working-room.js'
import type { Drain } from './drain.js'
import type { EduDispatch } from './edu-dispatch.js'
import type { PduIntake } from '../peers/pdu-intake.js'
import { loadResident } from '../../rooms/residence.js'
import type { Arrivals, KeptEvent } from '../handshakes/arrivals.js'
import { RETRACTION_KEY_WAIT, type Retraction } from './retraction.js'
import { isShutOut } from '../peers/room-access.js'
import type { StagedItem, StagingQuota } from './staging-quota.js'
import { MAX_EDUS, MAX_PDUS } from '../peers/transaction-limits.js'

/** Transactions of other servers: what they hold is on disk before they are answered. */
export interface Inbound {
  /**
   * Stages the PDUs, dispatches the EDUs, and gives an error for each PDU that is not taken. The same transaction again
   * gets the same answer. Errors: M_BAD_JSON, M_INVALID_PARAM, M_LIMIT_EXCEEDED.
   * SPEC: https://spec.matrix.org/v1.19/server-server-api/#put_matrixfederationv1sendtxnid
   */
  handleTransaction(origin: string, txnId: string, body: JsonObject): Promise<TransactionAnswer>
  /** Stages events that were asked of a server, as if it had sent them. */
  bring(origin: string, pdus: readonly Json[]): Promise<void>
  /** Job, every hour: forgets answers that nobody asks for any more. */
  cleanUp(): Promise<void>
}

export interface TransactionAnswer {
  readonly pdus: JsonObject
}

export interface InboundDeps {
  readonly context: RoomsContext
  readonly intake: PduIntake
  readonly edus: EduDispatch
  readonly quota: StagingQuota
  readonly drain: Pick<Drain, 'wake'>
  /** Ends invites and knocks in rooms that this server is not in. */
  readonly retraction?: Retraction
  /** Keeps what is of a room that is being joined right now. */
  readonly arrivals?: Arrivals
  /** See `Transport.federates`. Default: with every server. */
  federates?(serverName: string): boolean
  /** The origin is up: see `Sender.onContact`. */
  onContact(serverName: string): void
}

const MAX_TXN_ID = 255
/** Transactions of one origin that are worked on at once; a correct server has one. */
const MAX_IN_FLIGHT = 4
/** How long an answer is remembered, in milliseconds: a sender asks again within its longest pause. */
const REMEMBERED = 7 * 24 * 3_600_000
const CLEAN_BATCH = 1_000

interface Candidate {
  readonly room: RoomSnapshot
  readonly json: JsonObject
}

export function createInbound(deps: InboundDeps): Inbound {
  const { context, quota } = deps
  const { store, clock, logger } = context
  const running = new Map<string, Map<string, Promise<TransactionAnswer>>>()

  /** What is said by others is not taken from anybody where this server does not speak with theirs. */
  function isHeard(json: JsonObject): boolean {
    const sender = ownValue(json, 'sender')
    const server = typeof sender === 'string' ? parseUserId(sender)?.domain : undefined
    // What is malformed is told so later.
    return server === undefined || server === context.serverName || deps.federates?.(server) !== false
  }

  /** Sorts out what is of no room of ours, or of a room that shuts the origin out. */
  async function candidates(
    origin: string,
    pdus: readonly Json[],
    answer: Map<string, Json>,
  ): Promise<Candidate[]> {
    const verdicts = new Map<string, RoomSnapshot | string>()
    const judge = async (roomId: string): Promise<RoomSnapshot | string> => {
      const room = await loadResident(context, roomId)
      if (room === undefined) return 'This server is not in the room'
      return (await isShutOut(context, room, origin)) ? 'Your server is shut out of the room' : room
    }
    const found: Candidate[] = []
    const keyDeadline = clock.monotonic() + RETRACTION_KEY_WAIT
    for (const json of pdus) {
      const roomId = isObject(json) ? ownValue(json, 'room_id') : undefined
      if (!isObject(json) || typeof roomId !== 'string' || roomId.length > 255) continue
      if (!isHeard(json)) {
        const id = claimedId(json, await context.loader.load(roomId))
        if (id !== undefined)
          answer.set(id, { error: 'This server does not federate with that of the sender' })
        continue
      }
      let verdict = verdicts.get(roomId)
      if (verdict === undefined) {
        verdict = await judge(roomId)
        verdicts.set(roomId, verdict)
      }
      if (typeof verdict !== 'string') found.push({ room: verdict, json })
      else {
        const taken = await deps.retraction?.take(origin, roomId, json, keyDeadline - clock.monotonic())
        const kept = taken === undefined && deps.arrivals?.keep(origin, roomId, json) === true
        const id = taken ?? claimedId(json, await context.loader.load(roomId))
        if (id !== undefined) answer.set(id, taken !== undefined || kept ? {} : { error: verdict })
      }
    }
    return found
  }

  /** The checks that need no room. What lacks only a key is kept: the drain fetches it. */
  async function check(
    origin: string,
    found: readonly Candidate[],
    answer: Map<string, Json>,
  ): Promise<{ readonly event: RoomEvent; readonly verified: boolean }[]> {
    const byRoom = new Map<RoomSnapshot, JsonObject[]>()
    for (const { room, json } of found) {
      appendTo(byRoom, room, json)
    }
    const passed: { event: RoomEvent; verified: boolean }[] = []
    for (const [room, list] of byRoom) {
      const results = await deps.intake(list, room.rules, room.roomId, { origin, knownOnly: true })
      for (const [i, result] of results.entries()) {
        const event = result.ok ? result.event : result.unverified
        if (event !== undefined) {
          passed.push({ event, verified: result.ok })
          answer.set(event.id, {})
        } else if (!result.ok) {
          const id = claimedId(list[i]!, room)
          // A good copy in the same batch may have this id too.
          if (id !== undefined && !answer.has(id)) answer.set(id, { error: result.reason.slice(0, 200) })
        }
      }
    }
    return passed
  }

  /** Rows for those of the events that have no place here yet. */
  async function unknown(
    origin: string,
    passed: readonly { readonly event: RoomEvent; readonly verified: boolean }[],
  ): Promise<StagedPdu[]> {
    const known = await context.events.byIds(passed.map(({ event }) => event.id))
    const now = clock.now()
    const fresh = new Map<string, StagedPdu>()
    for (const { event, verified } of passed) {
      if (known.get(event.id)?.outlier === false || fresh.get(event.id)?.verified === 1) continue
      if (fresh.has(event.id) && !verified) continue
      fresh.set(event.id, {
        origin,
        room_id: event.roomId,
        event_id: event.id,
        received: now,
        json: canonicalJson(event.pdu, canonicalMode(event.rules)),
        verified: verified ? 1 : 0,
      })
    }
    return [...fresh.values()]
  }

  async function take(origin: string, txnId: string, body: JsonObject): Promise<TransactionAnswer> {
    const pdus = listOf(body, 'pdus', MAX_PDUS)
    const edus = listOf(body, 'edus', MAX_EDUS)
    const before = await store.read('inbound.known', () => receivedTransaction(origin, txnId))
    if (before !== undefined) return JSON.parse(before) as TransactionAnswer

    const answer = new Map<string, Json>()
    const passed = await check(origin, await candidates(origin, pdus, answer), answer)
    const fresh = await unknown(origin, passed)
    const result: TransactionAnswer = { pdus: Object.fromEntries(answer) }
    const remember = () => saveReceivedTransaction(origin, txnId, clock.now(), JSON.stringify(result))
    await stage(fresh, edus.length === 0 ? remember : undefined)
    if (edus.length > 0) {
      await deps.edus.dispatch(origin, edus)
      // Not before: a crash in between must have the origin send the EDUs again.
      await store.write('inbound.done', remember)
    }
    return result
  }

  /** What came for a room while it was being joined, now that it is here. */
  async function takeKept(kept: readonly KeptEvent[]): Promise<void> {
    const byOrigin = new Map<string, JsonObject[]>()
    for (const { origin, json } of kept) appendTo(byOrigin, origin, json)
    for (const [origin, pdus] of byOrigin) await bring(origin, pdus)
  }
  deps.arrivals?.onArrived(takeKept)

  async function bring(origin: string, pdus: readonly Json[]): Promise<void> {
    for (let i = 0; i < pdus.length; i += MAX_PDUS) {
      try {
        const found = await candidates(origin, pdus.slice(i, i + MAX_PDUS), new Map())
        await stage(await unknown(origin, await check(origin, found, new Map())), undefined)
      } catch (error) {
        logger.warn(
          { err: error, origin },
          'events that another server gave could not be staged, and are lost',
        )
      }
    }
  }

  async function stage(
    rows: readonly StagedPdu[],
    also: (() => ReturnType<typeof saveReceivedTransaction>) | undefined,
  ): Promise<void> {
    if (rows.length === 0 && also === undefined) return
    const items: StagedItem[] = rows.map((row) => ({
      origin: row.origin,
      roomId: row.room_id,
      size: row.json.length,
    }))
    quota.reserve(items)
    let staged: number
    try {
      staged = await store.write('inbound.stage', function* () {
        const count = yield* stagePdus(rows)
        if (also !== undefined) yield* also()
        return count
      })
    } catch (error) {
      quota.release(items)
      throw error
    }
    // Some were staged before, by this origin or another one: which does not matter for long.
    if (staged < items.length) quota.release(items.slice(staged))
    for (const roomId of new Set(rows.map((row) => row.room_id))) deps.drain.wake(roomId)
  }

  return {
    async handleTransaction(origin, txnId, body) {
      if (txnId.length === 0 || txnId.length > MAX_TXN_ID || txnId.includes('\u0000'))
        throw invalidParam('The transaction id is not usable')
      deps.onContact(origin)
      let own = running.get(origin)
      const same = own?.get(txnId)
      if (same !== undefined) return same
      if (own === undefined) running.set(origin, (own = new Map()))
      if (own.size >= MAX_IN_FLIGHT) {
        throw new MatrixError('M_LIMIT_EXCEEDED', 'One transaction at a time', { retry_after_ms: 1_000 })
      }
      const job = take(origin, txnId, body)
      own.set(txnId, job)
      try {
        return await job
      } finally {
        own.delete(txnId)
        if (own.size === 0) running.delete(origin)
      }
    },

    bring,

    async cleanUp() {
      const before = clock.now() - REMEMBERED
      const gone = await deleteInBatches(store, 'inbound.forget', CLEAN_BATCH, (size) =>
        forgetTransactions(before, size),
      )
      if (gone > 0) logger.debug({ gone }, 'old transactions of other servers were forgotten')
      // The counts drift a little where one origin's copy of an event took the place of another's.
      await quota.load()
    },
  }
}

function listOf(body: JsonObject, name: string, max: number): readonly Json[] {
  const list = ownValue(body, name)
  if (list === undefined) return []
  if (!Array.isArray(list)) throw badJson(`${name} must be a list`)
  if (list.length > max) throw invalidParam(`A transaction holds at most ${max} ${name}`)
  return list as readonly Json[]
}

/** The id under which the origin looks for an answer; undefined where it cannot be told. */
function claimedId(json: JsonObject, room: RoomSnapshot | undefined): string | undefined {
  const own = ownValue(json, 'event_id')
  if (room === undefined || room.rules.eventIds === 'on-the-wire')
    return typeof own === 'string' && own.length <= 255 ? own : undefined
  if (typeof json['type'] !== 'string' || !isObject(json['content'])) return undefined
  try {
    return eventId(json as unknown as Pdu, room.rules)
  } catch {
    return undefined
  }
}
