import { verifyContentHash } from '../../../core/event/hash.js'
import type { RoomEvent } from '../../../core/event/types.js'
import { serverNameOf } from '../../../core/ids/server-name-of.js'
import { redactionsOf } from '../../../storage/tables/events.js'
import type { RoomsContext } from '../../rooms/context.js'
import type { PeerReads } from '../peers/peer-reads.js'

/** Events of one answer about which others are asked. */
const MAX_ASKED = 20
const PARALLEL = 5
/** Servers asked for one event until somebody has it. */
const MAX_SERVERS = 3

/**
 * Events as one server has handed them over, each of which it may have stripped of its content: the signatures cover the redacted form
 * alone, so that nobody sees whether a redaction that counts has done it. Where neither the author's own server has stripped it nor a user
 * of that server has asked for it, one other server is asked, the author's first, and an event that comes whole takes the place of the other.
 * A redaction that counts takes its content all the same, when it is applied. The order stays. `unsure`: events of which those who were
 * asked have said nothing; another time they may. Never rejects for what peers do.
 */
export async function wholeCopies(
  deps: { readonly context: RoomsContext; readonly peers: PeerReads },
  room: { readonly roomId: string; readonly rules: RoomEvent['rules'] },
  events: readonly RoomEvent[],
  from: string,
  servers: readonly string[],
  signal: AbortSignal,
): Promise<{ readonly events: readonly RoomEvent[]; readonly unsure: ReadonlySet<string> }> {
  const { context, peers } = deps
  const stripped = events.filter(
    (event) => serverNameOf(event.sender) !== from && !verifyContentHash(event.pdu, event.rules),
  )
  const unsure = new Set<string>()
  if (stripped.length === 0) return { events, unsure }
  const excused = await redactedByOwnServer(context, stripped, events)
  const open = stripped.filter((event) => !excused.has(event.id)).slice(0, MAX_ASKED)

  async function whole(event: RoomEvent): Promise<RoomEvent | undefined> {
    const named = new Set([serverNameOf(event.sender) ?? '', ...servers])
    const others = [...named].filter((name) => name !== '' && name !== from && name !== context.serverName)
    for (const server of others.slice(0, MAX_SERVERS)) {
      if (signal.aborted) break
      const copy = await peers.event({ server, signal }, room, event.id).catch((error: unknown) => {
        context.logger.debug({ err: error, server, eventId: event.id }, 'a server does not give an event')
        return undefined
      })
      // Two who know nothing of each other's answer say the same: it was redacted.
      if (copy !== undefined) return verifyContentHash(copy.pdu, copy.rules) ? copy : undefined
    }
    if (others.length > 0) unsure.add(event.id)
    return undefined
  }

  const copies = new Map<string, RoomEvent>()
  for (let i = 0; i < open.length; i += PARALLEL) {
    for (const copy of await Promise.all(open.slice(i, i + PARALLEL).map(whole))) {
      if (copy !== undefined) copies.set(copy.id, copy)
    }
  }
  if (copies.size > 0)
    context.logger.info(
      { roomId: room.roomId, server: from, events: copies.size },
      'a server gives events without their content; they were had of others',
    )
  return { events: events.map((event) => copies.get(event.id) ?? event), unsure }
}

/** Those that a redaction names, which is here or among the events, of a user of the author's server: it takes effect in every room version. */
async function redactedByOwnServer(
  context: RoomsContext,
  stripped: readonly RoomEvent[],
  events: readonly RoomEvent[],
): Promise<Set<string>> {
  const authors = new Map(stripped.map((event) => [event.id, serverNameOf(event.sender)]))
  const rows = await context.store.read('wholeCopies.redactions', () => redactionsOf([...authors.keys()]))
  const known = await context.events.byNids(rows.map(({ redaction }) => redaction))
  const redactions = [...events, ...[...known.values()].map(({ event }) => event)]
  return new Set(
    redactions.flatMap(({ type, redacts = '', sender }) =>
      type === 'm.room.redaction' && authors.has(redacts) && authors.get(redacts) === serverNameOf(sender)
        ? [redacts]
        : [],
    ),
  )
}
