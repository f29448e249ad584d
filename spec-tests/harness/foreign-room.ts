import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { buildEvent } from '../../src/core/event/build.js'
import type { RoomEvent } from '../../src/core/event/types.js'
import type { JsonObject } from '../../src/core/json/value.js'
import { authorizationHeader } from '../../src/services/federation/x-matrix.js'
import { bigRoom } from '../../src/services/replication/testing/big-room.js'
import { answerJson, type Answering, type ForeignServer } from './foreign-server.js'

export interface NewEvent {
  readonly type: string
  readonly content: JsonObject
  readonly stateKey?: string
  readonly sender?: string
  /** Default: the room's creator's, which are the create event, the power levels and the creator's membership. */
  readonly auth?: readonly RoomEvent[]
  /** Default: the last event that was added. */
  readonly prev?: readonly RoomEvent[]
  readonly ts?: number
}

/** A room that lives on foreign servers, which serve what federation asks of it. Its state never changes for their answers. */
export interface ForeignRoom {
  readonly roomId: string
  readonly creator: string
  readonly state: readonly RoomEvent[]
  /** Adds an event behind the last one. */
  add(event: NewEvent): RoomEvent
  /** A text of the creator. */
  say(body: string): RoomEvent
  /** The joins that were sent, in order. */
  readonly joins: RoomEvent[]
  /** Answers for the room; false for what is of another. */
  readonly answer: Answering
  /** Called when something is asked, before it is answered: `send_join`, `backfill`, … */
  onAsked: (what: string) => void
  /** Whether joins that want it so are answered without the members. Default false. */
  leavesOutMembers: boolean
  /** Answers with the room's state, or its ids, wait for it. */
  beforeState: Promise<void>
}

const EVENTS_IN_ANSWER = 20

export function foreignRoom(
  servers: readonly ForeignServer[],
  members: number,
  changes: number,
  name: string,
): ForeignRoom {
  const [first] = servers
  const big = bigRoom(
    servers.map(({ signer }) => signer),
    members,
    changes,
    name,
  )
  const rules = big.state[0]!.rules
  const byId = new Map([...big.state, ...big.authChain].map((event) => [event.id, event]))
  const ofType = (type: string, stateKey = ''): RoomEvent =>
    big.state.find((event) => event.type === type && event.stateKey === stateKey)!
  const template = big.template('@x:y') as { event: { depth: number; prev_events: string[] } }
  let last: RoomEvent = byId.get(template.event.prev_events[0]!)!
  const joins: RoomEvent[] = []

  function stream(response: ServerResponse, head: object, lists: Record<string, readonly RoomEvent[]>): void {
    response.writeHead(200, { 'content-type': 'application/json' })
    Readable.from(
      (function* () {
        yield JSON.stringify(head).slice(0, -1)
        for (const [list, events] of Object.entries(lists)) {
          yield `,"${list}":[`
          for (const [i, event] of events.entries()) yield (i > 0 ? ',' : '') + JSON.stringify(event.pdu)
          yield ']'
        }
        yield '}'
      })(),
    ).pipe(response)
  }

  /** Events before some, nearest first. */
  function before(ids: readonly string[], limit: number, until: ReadonlySet<string>): RoomEvent[] {
    const found: RoomEvent[] = []
    let next = ids
    while (next.length > 0 && found.length < limit) {
      const events = next.flatMap((id) => (until.has(id) ? [] : (byId.get(id) ?? [])))
      found.push(...events)
      next = events.flatMap((event) => event.prevEvents)
    }
    return found
  }

  const readBody = async (stream_: AsyncIterable<Buffer>): Promise<JsonObject> => {
    const chunks: Buffer[] = []
    for await (const chunk of stream_) chunks.push(chunk)
    return JSON.parse(Buffer.concat(chunks).toString()) as JsonObject
  }

  const room: ForeignRoom = {
    roomId: big.roomId,
    creator: big.creator,
    state: big.state,
    joins,
    onAsked: () => undefined,
    leavesOutMembers: false,
    beforeState: Promise.resolve(),
    add(fields) {
      const sender = fields.sender ?? big.creator
      const signer = servers.find((server) => sender.endsWith(`:${server.name}`))!.signer
      const auth = fields.auth ?? [
        ofType('m.room.create'),
        ofType('m.room.power_levels'),
        ofType('m.room.member', big.creator),
      ]
      const prev = fields.prev ?? [last]
      const event = buildEvent(
        {
          type: fields.type,
          sender,
          stateKey: fields.stateKey,
          content: fields.content,
          roomId: big.roomId,
          depth: Math.max(...prev.map(({ depth }) => depth)) + 1,
          originServerTs: fields.ts ?? Date.now(),
          prevEvents: prev.map(({ id }) => id),
          authEvents: auth.map(({ id }) => id),
        },
        rules,
        signer,
      )
      byId.set(event.id, event)
      last = event
      return event
    },
    say: (body) => room.add({ type: 'm.room.message', content: { msgtype: 'm.text', body } }),
    answer(request, response, path) {
      const [, what, ...rest] = /^\/_matrix\/federation\/v[12]\/([a-z_]+)\/(.*)$/.exec(path) ?? []
      const segments = rest.join('/').split('/').map(decodeURIComponent)
      const query = new URL(request.url!, 'https://localhost').searchParams
      if (what === undefined || (what !== 'event' && segments[0] !== big.roomId)) return false
      room.onAsked(what)
      const asked = byId.get(query.get('event_id') ?? '') ?? big.state.at(-1)!
      switch (what) {
        case 'make_join': {
          const made = big.template(segments[1]!)['event'] as JsonObject
          const event = { ...made, depth: last.depth + 1, prev_events: [last.id] }
          answerJson(response, { room_version: rules.id, event })
          return true
        }
        case 'send_join':
          void readBody(request).then((pdu) => {
            const event = { ...last, id: segments[1]!, pdu, prevEvents: [last.id], depth: last.depth + 1 }
            joins.push(event as unknown as RoomEvent)
            byId.set(event.id, event as unknown as RoomEvent)
            last = event as unknown as RoomEvent
            const omitted = room.leavesOutMembers && query.get('omit_members') === 'true'
            const head = {
              origin: first!.name,
              members_omitted: omitted,
              ...(omitted ? { servers_in_room: servers.map(({ name: server }) => server) } : {}),
            }
            const members = big.state.filter(({ type: kind }) => omitted && kind === 'm.room.member')
            const state = big.state.filter((one) => !members.includes(one))
            stream(response, head, { state, auth_chain: big.authChain })
          })
          return true
        case 'event': {
          const event = byId.get(segments[0]!)
          if (event === undefined) return false
          answerJson(response, { origin: first!.name, origin_server_ts: 0, pdus: [event.pdu] })
          return true
        }
        case 'state_ids':
          void room.beforeState.then(() =>
            answerJson(response, {
              pdu_ids: big.state.map(({ id }) => id),
              auth_chain_ids: big.authChain.map(({ id }) => id),
            }),
          )
          return asked !== undefined
        case 'state':
          void room.beforeState.then(() =>
            stream(response, { origin: first!.name }, { pdus: big.state, auth_chain: big.authChain }),
          )
          return true
        case 'event_auth':
          stream(response, { origin: first!.name }, { auth_chain: big.authChain })
          return true
        case 'backfill': {
          const limit = Math.min(Number(query.get('limit')), EVENTS_IN_ANSWER)
          const events = before(query.getAll('v'), limit, new Set())
          answerJson(response, {
            origin: first!.name,
            origin_server_ts: 0,
            pdus: events.map(({ pdu }) => pdu),
          })
          return true
        }
        case 'get_missing_events':
          void readBody(request).then((body) => {
            const { earliest_events: earliest, latest_events: latest } = body as unknown as Record<
              string,
              string[]
            >
            const prevs = latest!.flatMap((id) => byId.get(id)?.prevEvents ?? [])
            const events = before(prevs, EVENTS_IN_ANSWER, new Set(earliest))
            answerJson(response, { events: events.map(({ pdu }) => pdu) })
          })
          return true
        default:
          return false
      }
    },
  }
  return room
}

let transaction = 0

/** Sends events to a node's client port, which serves federation too, as this server would. Gives the answer. */
export async function sendPdus(
  from: ForeignServer,
  to: { readonly url: string; readonly serverName: string },
  events: readonly RoomEvent[],
): Promise<{ readonly pdus: Record<string, { readonly error?: string }> }> {
  const uri = `/_matrix/federation/v1/send/t${Date.now()}-${transaction++}`
  const content = {
    origin: from.name,
    origin_server_ts: Date.now(),
    pdus: events.map(({ pdu }) => pdu),
    edus: [],
  } as unknown as JsonObject
  const request = { method: 'PUT', uri, origin: from.name, destination: to.serverName, content }
  const authorization = authorizationHeader(request, from.signer)!
  const answer = await fetch(to.url + uri, {
    method: 'PUT',
    headers: { 'content-type': 'application/json', authorization },
    body: JSON.stringify(content),
  })
  if (answer.status !== 200) throw new Error(`/send: ${answer.status} ${await answer.text()}`)
  return (await answer.json()) as { pdus: Record<string, { error?: string }> }
}
