import { serverNameOf } from '../../../../core/ids/server-name-of.js'
import { readWholeState } from '../../../rooms/context.js'
import type { World } from './world.js'
import { amongOthers, entriesOf, pastOf } from './agreement.js'
import { describeEvent, short, viewOf, type View } from './view.js'

/**
 * Before anybody speaks again: what a server has said is with every server that was in the room by then and has stayed. A lost
 * row of an outbox would be mended by the next event that refers to what it held.
 */
export async function checkDelivery(world: World, roomId: string): Promise<void> {
  const all: View[] = []
  for (const node of world.nodes) {
    const view = await viewOf(node, roomId)
    if (view?.servers.has(node.name) === true) all.push(view)
  }
  const views = amongOthers(all)
  const entries = await entriesOf(views)
  const gone = goneWithDisks(world, views)
  const leftUnheard = new Set<string>()
  for (const view of views) {
    for (const { event } of view.events.values()) {
      const left = event.type === 'm.room.member' && event.content['membership'] === 'leave'
      if (left && serverNameOf(event.sender) === view.server && standsOn(view, event.id, gone))
        leftUnheard.add(view.server)
    }
  }
  for (const view of views) {
    if (world.rash === view.server) continue
    // Until it has compared the room with what others have, it tells those of whom it knows; an invite may have waited for just that moment.
    if (world.deceived.has(view.server)) continue
    const node = world.nodes.find(({ name }) => name === view.server)!
    for (const stored of view.events.values()) {
      const { event } = stored
      const own = serverNameOf(event.sender) === view.server && stored.pos !== undefined
      if (!own || stored.stateBefore === undefined) continue
      const lost = world.restored.get(view.server)
      // What its outbox held went with its disk, and so did its knowledge of who has left.
      if (lost !== undefined && event.originServerTs >= lost.from) continue
      const past = pastOf(view, [event.id])
      // Who has left the room gives nobody what it stood on.
      if (standsOn(view, event.id, gone)) continue
      const whole = await readWholeState(node.process!.context, { nid: view.roomNid }, stored.stateBefore)
      const there = new Set(
        whole.flatMap(({ event: one }) =>
          one.type === 'm.room.member' && one.content['membership'] === 'join'
            ? (serverNameOf(one.stateKey!) ?? [])
            : [],
        ),
      )
      for (const other of views) {
        if (other === view || other.server === world.rash || !there.has(other.server)) continue
        // It gets back what it has lost as history, when somebody scrolls there, and a room it has lost only by another join.
        if (world.restored.has(other.server)) continue
        // It has left by its own state alone.
        if (leftUnheard.has(other.server)) continue
        if (!(entries.get(other.server) ?? []).every((id) => past.has(id))) continue
        if (other.events.get(event.id)?.outlier !== false)
          world.faults.push(`${other.server} in ${short(roomId)} was never told of ${describeEvent(stored)}`)
      }
    }
  }
}

/** Events that their own server has lost with its disk and not got back. */
function goneWithDisks(world: World, views: readonly View[]): Set<string> {
  const gone = new Set<string>()
  if (world.restored.size === 0) return gone
  for (const view of views) {
    for (const { event } of view.events.values()) {
      const server = serverNameOf(event.sender) ?? ''
      if (server === view.server || !world.restored.has(server)) continue
      const own = views.find((one) => one.server === server)
      if (own?.events.has(event.id) === false) gone.add(event.id)
    }
  }
  return gone
}

const standsOn = (view: View, id: string, gone: ReadonlySet<string>): boolean =>
  gone.size > 0 && [...pastOf(view, [id])].some((one) => gone.has(one))
