import { isDeepStrictEqual } from 'node:util'
import { v3, type User } from '../harness/client.js'
import type { Side } from './pair.js'

const enc = encodeURIComponent
const PAGE = 250
const MAX_PAGES = 40
const WAIT_MS = 20_000

export interface ClientEvent {
  readonly event_id: string
  readonly type: string
  readonly sender: string
  readonly state_key?: string
  readonly origin_server_ts: number
  readonly content: Readonly<Record<string, unknown>>
  readonly redacts?: string
  readonly unsigned?: { readonly redacted_because?: { readonly event_id: string } }
}

/** What both servers must say of an event. */
const essence = (event: ClientEvent): object => ({
  type: event.type,
  sender: event.sender,
  state_key: event.state_key,
  origin_server_ts: event.origin_server_ts,
  content: event.content,
  redacts: event.redacts,
  redacted_because: event.unsigned?.redacted_because?.event_id,
})

/** The current state of a room, by type and state key. */
async function stateOf(user: User, roomId: string): Promise<Map<string, ClientEvent>> {
  const events = (await user.ok('GET', v3(`/rooms/${enc(roomId)}/state`))) as ClientEvent[]
  return new Map(events.map((event) => [`${event.type} ${event.state_key}`, event]))
}

/** The whole timeline that a user can page through, the oldest event first. */
export async function timelineOf(user: User, roomId: string): Promise<ClientEvent[]> {
  const found: ClientEvent[] = []
  let from: string | undefined
  for (let page = 0; page < MAX_PAGES; page++) {
    const answer = await user.ok('GET', v3(`/rooms/${enc(roomId)}/messages`), undefined, {
      dir: 'b',
      limit: PAGE,
      from,
    })
    found.push(...(answer.chunk as ClientEvent[]))
    if (answer.end === undefined) return found.reverse()
    from = answer.end
  }
  throw new Error(`the history of ${roomId} has no end for ${user.userId}`)
}

const shown = (event: ClientEvent | undefined): string =>
  event === undefined ? 'nothing' : `${event.event_id} ${event.type} ${JSON.stringify(event.content)}`

/** A user by whose eyes a side's room is seen. */
export interface View {
  readonly side: Side
  readonly user: User
}

async function differencesOfState(roomId: string, views: readonly [View, View]): Promise<string[]> {
  const [one, other] = await Promise.all(views.map(({ user }) => stateOf(user, roomId)))
  const keys = new Set([...one!.keys(), ...other!.keys()])
  return [...keys].flatMap((key) => {
    const [here, there] = [one!.get(key), other!.get(key)]
    if (here?.event_id === there?.event_id) return []
    return `state ${key}: ${views[0].side.name} has ${shown(here)}, ${views[1].side.name} has ${shown(there)}`
  })
}

async function differencesOfTimelines(
  roomId: string,
  views: readonly [View, View],
  inOrder: boolean,
): Promise<string[]> {
  const [one, other] = (await Promise.all(views.map(({ user }) => timelineOf(user, roomId)))) as [
    ClientEvent[],
    ClientEvent[],
  ]
  const found: string[] = []
  const missing = (from: ClientEvent[], to: ClientEvent[], side: Side): void => {
    const there = new Set(to.map((event) => event.event_id))
    const hidden = side.hidden(roomId)
    for (const event of from)
      if (!there.has(event.event_id) && !hidden.has(event.event_id))
        found.push(`${side.name} does not show ${shown(event)}`)
  }
  missing(one, other, views[1].side)
  missing(other, one, views[0].side)
  const byId = new Map(other.map((event) => [event.event_id, event]))
  for (const event of one) {
    const same = byId.get(event.event_id)
    if (same !== undefined && !isDeepStrictEqual(essence(event), essence(same)))
      found.push(`${views[0].side.name}: ${JSON.stringify(event)}\n${views[1].side.name}: ${JSON.stringify(same)}`)
  }
  const ids = (events: readonly ClientEvent[]): string => events.map((event) => event.event_id).join(' ')
  if (found.length === 0 && inOrder && ids(one) !== ids(other))
    found.push(`the order differs:\n${one.map(shown).join('\n')}\n---\n${other.map(shown).join('\n')}`)
  return found
} // prettier-ignore

/**
 * Waits until two servers have the same current state of a room and show the same timeline, apart from events that one of them
 * keeps to itself because they are soft-failed or rejected. Throws with what differs in the end.
 * @param inOrder whether the events stand in one order, as in a room that never forked
 */
export async function sameRoom(roomId: string, one: View, other: View, inOrder = true): Promise<void> {
  const end = Date.now() + WAIT_MS
  for (;;) {
    const differences = await differencesOfState(roomId, [one, other])
    if (differences.length === 0)
      differences.push(...(await differencesOfTimelines(roomId, [one, other], inOrder)))
    if (differences.length === 0) return
    if (Date.now() > end) throw new Error(`${roomId} differs:\n${differences.slice(0, 20).join('\n')}`)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}
