import type { RoomEvent } from '../../../core/event/types.js'
import { ownValue, type Json, type JsonObject } from '../../../core/json/value.js'
import type { RoomVersionRules } from '../../../core/room-version/rules.js'
import { encodePath, type FederationClient } from '../../federation/client.js'
import { readListAnswer } from './peer-answer.js'
import { badAnswer } from './peer-failure.js'
import { accepted, type PduIntake } from './pdu-intake.js'

export interface AskedRoom {
  readonly roomId: string
  readonly rules: RoomVersionRules
}

/** Where a question goes, and how long it may take. */
export interface Ask {
  readonly server: string
  readonly signal: AbortSignal
}

/**
 * Questions to other servers about the events of a room. Answers hold only events that passed the intake: what is
 * wrong with one of them costs that one. All throw `FederationError`, or the reason of the abort.
 */
export interface PeerReads {
  /** Predecessors of `latest`, walking back as far as `earliest`. */
  missingEvents(
    ask: Ask,
    room: AskedRoom,
    range: {
      readonly earliest: readonly string[]
      readonly latest: readonly string[]
      readonly limit: number
      /** Nothing less deep is wanted. */
      readonly minDepth: number
    },
  ): Promise<RoomEvent[]>
  /** These events and their predecessors. */
  backfill(ask: Ask, room: AskedRoom, from: readonly string[], limit: number): Promise<RoomEvent[]>
  /** Undefined where the server has it not, or answers another one. */
  event(ask: Ask, room: AskedRoom, id: string): Promise<RoomEvent | undefined>
  /** The event next to a moment in milliseconds, by id, and its time as that server says. */
  eventAt(
    ask: Ask,
    room: AskedRoom,
    ts: number,
    dir: 'f' | 'b',
  ): Promise<{ readonly id: string; readonly ts: number }>
  authChain(ask: Ask, room: AskedRoom, id: string): Promise<RoomEvent[]>
  /** Ids of the state before an event and of its auth chain. */
  stateIds(
    ask: Ask,
    room: AskedRoom,
    id: string,
  ): Promise<{ readonly state: readonly string[]; readonly authChain: readonly string[] }>
  /** The events of the state before an event and of its auth chain, in one list, less those of `known`. */
  state(ask: Ask, room: AskedRoom, id: string, known: (id: string) => boolean): Promise<RoomEvent[]>
}

const TIMEOUT = 20_000
const KEY_WAIT = 10_000
/** Bytes of an answer with some events. */
const SOME = 6 * 1024 * 1024
/** Bytes of an answer with a room's whole state. */
const WHOLE = 200 * 1024 * 1024
const MAX_IDS = 250_000

const V1 = '/_matrix/federation/v1'

export function createPeerReads(deps: {
  readonly client: Pick<FederationClient, 'request' | 'requestStream'>
  readonly intake: PduIntake
}): PeerReads {
  const { client, intake } = deps

  const get = (ask: Ask, path: string, query: Record<string, string | number | readonly string[]> = {}) => ({
    destination: ask.server,
    method: 'GET' as const,
    path,
    query,
    timeoutMs: TIMEOUT,
    maxBytes: SOME,
    signal: ask.signal,
  })

  async function verified(ask: Ask, room: AskedRoom, pdus: readonly Json[]): Promise<RoomEvent[]> {
    const options = { origin: ask.server, keyWaitMs: KEY_WAIT }
    return accepted(await intake(pdus, room.rules, room.roomId, options))
  }

  return {
    async missingEvents(ask, room, { earliest, latest, limit, minDepth }) {
      const answer = await client.request({
        ...get(ask, encodePath(V1, 'get_missing_events', room.roomId)),
        method: 'POST',
        body: { earliest_events: earliest, latest_events: latest, limit, min_depth: minDepth },
      })
      return verified(ask, room, listOf(answer, 'events').slice(0, limit))
    },

    async backfill(ask, room, from, limit) {
      const answer = await client.request(
        get(ask, encodePath(V1, 'backfill', room.roomId), { v: from, limit }),
      )
      return verified(ask, room, listOf(answer, 'pdus').slice(0, limit + from.length))
    },

    async event(ask, room, id) {
      const answer = await client.request(get(ask, encodePath(V1, 'event', id)))
      const [event] = await verified(ask, room, listOf(answer, 'pdus').slice(0, 1))
      return event?.id === id ? event : undefined
    },

    async eventAt(ask, room, ts, dir) {
      const path = encodePath(V1, 'timestamp_to_event', room.roomId)
      const answer = await client.request({ ...get(ask, path, { ts, dir }), maxBytes: 64 * 1024 })
      const id = ownValue(answer, 'event_id')
      const time = ownValue(answer, 'origin_server_ts')
      if (typeof id !== 'string' || !id.startsWith('$') || id.length > 255 || !Number.isSafeInteger(time))
        throw badAnswer('the answer names no event and its time')
      return { id, ts: time as number }
    },

    async authChain(ask, room, id) {
      const answer = await client.requestStream({
        ...get(ask, encodePath(V1, 'event_auth', room.roomId, id)),
        maxBytes: WHOLE,
      })
      const { lists } = await readListAnswer(answer.body, ['auth_chain'], { maxElements: MAX_IDS })
      return verified(ask, room, lists.get('auth_chain')!)
    },

    async stateIds(ask, room, id) {
      const answer = await client.request({
        ...get(ask, encodePath(V1, 'state_ids', room.roomId), { event_id: id }),
        maxBytes: 20 * 1024 * 1024,
      })
      return { state: idsOf(answer, 'pdu_ids'), authChain: idsOf(answer, 'auth_chain_ids') }
    },

    async state(ask, room, id, known) {
      const answer = await client.requestStream({
        ...get(ask, encodePath(V1, 'state', room.roomId), { event_id: id }),
        timeoutMs: 60_000,
        maxBytes: WHOLE,
      })
      const { lists } = await readListAnswer(answer.body, ['pdus', 'auth_chain'], { maxElements: MAX_IDS })
      const events = await verified(ask, room, [...lists.values()].flat())
      return events.filter((event) => !known(event.id))
    },
  }
}

function listOf(answer: JsonObject, name: string): readonly Json[] {
  const list = ownValue(answer, name)
  if (!Array.isArray(list)) throw badAnswer(`the answer lacks ${name}`)
  return list as readonly Json[]
}

function idsOf(answer: JsonObject, name: string): readonly string[] {
  const list = listOf(answer, name)
  if (list.length > MAX_IDS) throw badAnswer(`the answer has too many ${name}`)
  const ids = list.filter((id) => typeof id === 'string' && id.length <= 255)
  return [...new Set(ids as string[])]
}
