import { isObject, ownValue, type Json, type JsonObject } from '../../../../core/json/value.js'
import { liveEvents } from '../../../../storage/tables/events.js'
import { speak, type Passage } from './finale.js'
import { outsider } from './outsider.js'
import { residents } from './residents.js'
import { as } from './sim-node.js'

/** Events as they were sent. */
interface Originals {
  keep(json: string): void
  /** An answer in which what was redacted since is as it was. */
  tell(endpoint: string, answer: string): string
}

/** The list of events in an answer, by the endpoint. */
const LISTS: Readonly<Record<string, string>> = {
  backfill: 'pdus',
  event: 'pdus',
  get_missing_events: 'events',
}

/** What is left of a redacted event still has the hash of the whole one. */
function hashOf(pdu: Json): string | undefined {
  const hashes = isObject(pdu) ? ownValue(pdu, 'hashes') : undefined
  const hash = isObject(hashes) ? ownValue(hashes, 'sha256') : undefined
  return typeof hash === 'string' ? hash : undefined
}

function createOriginals(onCopy: () => void): Originals {
  const byHash = new Map<string, JsonObject>()
  return {
    keep(json) {
      const pdu = JSON.parse(json) as JsonObject
      byHash.set(hashOf(pdu) ?? '', pdu)
    },
    tell(endpoint, answer) {
      const list = LISTS[endpoint]
      const whole = list === undefined ? undefined : (JSON.parse(answer) as Json)
      if (list === undefined || !isObject(whole) || !Array.isArray(whole[list])) return answer
      const told = (whole[list] as readonly Json[]).map((pdu) => {
        const original = byHash.get(hashOf(pdu) ?? '')
        const isLess =
          original !== undefined &&
          JSON.stringify((pdu as JsonObject)['content']) !== JSON.stringify(original['content'])
        if (!isLess) return pdu
        onCopy()
        return original
      })
      return JSON.stringify({ ...whole, [list]: told })
    },
  }
}

/**
 * Something is said while a server is out of a room, and redacted when it is in: the redaction is there before what it redacts, which comes with
 * the history, from servers that give out what they were given. Whoever scrolls back later asks them.
 */
export async function redactBehindNewcomer(passage: Passage): Promise<void> {
  const { world, transport, pass, chance } = passage
  const count = (what: string): void => void world.counts.set(what, (world.counts.get(what) ?? 0) + 1)
  const originals = createOriginals(() => count('copies of what was redacted'))
  for (const roomId of world.rooms) {
    const newcomer = await outsider(passage, roomId)
    if (newcomer === undefined) continue
    const [host] = (await residents(passage, roomId)).filter(({ node }) => node !== newcomer)
    if (host === undefined) continue
    const secret = `secret ${chance.int(0, 1_000_000)}`
    await pass(speak(passage, host.node, host.userId, roomId, secret))
    // So that the join does not stand on it, and it comes later than the redaction.
    await pass(speak(passage, host.node, host.userId, roomId, 'something else'))
    await pass()
    const { context, sending } = host.node.process!
    const room = await context.loader.load(roomId)
    const rows = await context.store.read('sim.recent', () =>
      liveEvents(room!.nid, 0, Number.MAX_SAFE_INTEGER, 20),
    )
    const said = rows.find((row) => row.json.includes(secret))
    if (said === undefined) continue
    let isIn = false
    const join = newcomer.process!.memberships.join(as(chance.pick(newcomer.users)), {
      room: roomId,
      via: [host.node.name],
    })
    await pass(join.then(() => void (isIn = true), () => undefined)) // prettier-ignore
    if (!isIn) continue
    originals.keep(said.json)
    const redaction = { roomId, eventId: said.event_id, txnId: secret, reason: undefined, extra: {} }
    await pass(
      sending.redact(as(host.userId), redaction).then(
        () => count('redactions of what came later'),
        () => undefined,
      ),
    )
    await pass()
    for (const { name } of world.nodes) if (name !== world.rash) transport.liars.set(name, originals.tell)
  }
}
