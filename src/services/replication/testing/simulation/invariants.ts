import { resolveStates } from '../../../../core/state/resolve.js'
import { stateKey as nameOf } from '../../../../core/state/state-key.js'
import { serverNameOf } from '../../../../core/ids/server-name-of.js'
import type { RoomEvent } from '../../../../core/event/types.js'
import { all } from '../../../../storage/tx.js'
import type { NodeName } from '../../../../core/state-trie/node.js'
import { readWholeState } from '../../../rooms/context.js'
import type { StoredEvent } from '../../../rooms/stored-event.js'
import { describeEvent, short, type View } from './view.js'
import { brokenRule, mayRedactPlainly } from './plain-rules.js'
import type { SimNode } from './sim-node.js'

/**
 * What must be true of one node's room by itself, whatever the others have. `judged`: events that were found in order on
 * another node, where the same states are.
 */
export async function checkAlone(
  node: SimNode,
  view: View,
  resolved: Map<string, string>,
  faults: string[],
): Promise<void> {
  const states = statesOf(node, view)
  const at = `${view.server} in ${short(view.roomId)}`
  for (const stored of view.events.values()) {
    const refused = stored.event.authEvents.find((id) => view.events.get(id)?.rejected !== undefined)
    if (stored.rejected === undefined && refused !== undefined)
      faults.push(
        `${at}: ${describeEvent(stored)} counts, and rests on ${describeEvent(view.events.get(refused))}`,
      )
    if (stored.outlier || stored.stateBefore === undefined) continue
    const before = await states(stored.stateBefore)
    if (stored.rejected === undefined && stored.redactedBy === undefined) {
      const broken = brokenRule(stored.event, (type, key) => before.get(nameOf(type, key))?.event)
      if (broken !== undefined)
        faults.push(`${at}: ${describeEvent(stored)} stands on a state where it is ${broken}`)
    }
    await checkRedaction(stored)
    await checkMerge(stored)
  }
  await checkTimeline(node, view, at, faults)

  async function checkRedaction(stored: StoredEvent): Promise<void> {
    if (stored.redactedBy === undefined) return
    const redaction = [...view.events.values()].find(({ nid }) => nid === stored.redactedBy)
    if (redaction?.stateBefore === undefined) return
    const before = await states(redaction.stateBefore)
    const lookup = (type: string, key: string): RoomEvent | undefined => before.get(nameOf(type, key))?.event
    if (
      redaction.rejected !== undefined ||
      redaction.softFailed ||
      !mayRedactPlainly(redaction.event, stored.event, lookup)
    )
      faults.push(`${at}: ${describeEvent(stored)} is redacted by ${describeEvent(redaction)}, who may not`)
  }

  /** The state before an event with several predecessors, resolved once more from whole states. */
  async function checkMerge(stored: StoredEvent): Promise<void> {
    const prevs = stored.event.prevEvents.map((id) => view.events.get(id))
    if (prevs.length < 2 || prevs.some((prev) => prev?.stateAfter === undefined)) return
    let digest = resolved.get(stored.event.id)
    if (digest === undefined) {
      const maps = await Promise.all(
        [...new Set(prevs.map((prev) => prev!.stateAfter!))].map(async (root) => {
          const state = await states(root)
          return new Map([...state].map(([name, { event }]) => [name, event.id]))
        }),
      )
      const whole = resolveStates(maps, {
        rules: stored.event.rules,
        event: (id) => view.events.get(id)?.event,
        isRejected: (id) => view.events.get(id)?.rejected !== undefined,
        verifySignature: () => false,
      })
      digest = view.digestOf(whole.values())
      resolved.set(stored.event.id, digest)
    }
    if ((await view.digest(stored.stateBefore)) !== digest)
      faults.push(
        `${at}: the state before ${describeEvent(stored)} is not what its predecessors' states resolve to`,
      )
  }
}

/** States as maps from key to event, each read once. */
function statesOf(node: SimNode, view: View): (root: NodeName) => Promise<ReadonlyMap<string, StoredEvent>> {
  const known = new Map<NodeName, ReadonlyMap<string, StoredEvent>>()
  const { context } = node.process!
  return async (root) => {
    let state = known.get(root)
    if (state === undefined) {
      const whole = await readWholeState(context, { nid: view.roomNid }, root)
      state = new Map(whole.map((one) => [nameOf(one.event.type, one.event.stateKey!), one]))
      known.set(root, state)
    }
    return state
  }
}

interface Delta {
  readonly pos: number
  readonly type: string
  readonly state_key: string
  readonly event_nid: number | null
  readonly prev_nid: number | null
}

/**
 * Goes back through what clients were shown: the changes of state lead from the present state to each earlier one, and
 * what was shown was allowed by the state of that moment. Before the server's last arrival the changes are not complete.
 */
async function checkTimeline(node: SimNode, view: View, at: string, faults: string[]): Promise<void> {
  const deltas = await node.disk.read('sim.deltas', () =>
    all<Delta>('SELECT * FROM state_deltas WHERE room_nid = ? ORDER BY pos DESC', view.roomNid),
  )
  const byNid = new Map([...view.events.values()].map((stored) => [stored.nid, stored]))
  const now = new Map<string, number>()
  for (const [name, id] of view.stateByName) now.set(name, view.events.get(id)!.nid)
  const isInBy = (state: ReadonlyMap<string, number>): boolean =>
    [...state.values()].some((nid) => {
      const event = byNid.get(nid)?.event
      return (
        event?.type === 'm.room.member' &&
        event.content['membership'] === 'join' &&
        serverNameOf(event.stateKey!) === view.server
      )
    })
  const live = [...view.events.values()].filter((stored) => stored.pos !== undefined)
  live.sort((a, b) => b.pos! - a.pos!)
  let next = 0
  for (const stored of live) {
    for (; next < deltas.length && deltas[next]!.pos >= stored.pos!; next++) {
      const { type, state_key: key, event_nid: after, prev_nid: before } = deltas[next]!
      const name = nameOf(type, key)
      if ((now.get(name) ?? null) !== after) {
        // Its users had left and came back through another server, by whose state some of them had never left: that one was taken over.
        if (type === 'm.room.member' && serverNameOf(key) === view.server) return
        faults.push(`${at}: the changes of ${type}|${key} do not lead to its present state`)
        return
      }
      if (before === null) now.delete(name)
      else now.set(name, before)
    }
    // Its server came with it, or it stands at the room's very beginning. By the other servers' state it may never have been out.
    const isOwn = stored.event.type === 'm.room.member' && stored.event.sender.endsWith(`:${view.server}`)
    if (isOwn && (!(await view.isIn(view.server, stored.stateBefore)) || !isInBy(now))) return
    if (stored.softFailed || stored.rejected !== undefined)
      faults.push(`${at}: clients see ${describeEvent(stored)}`)
    if (stored.redactedBy !== undefined) continue
    const broken = brokenRule(stored.event, (type, key) => byNid.get(now.get(nameOf(type, key)) ?? -1)?.event)
    if (broken !== undefined) faults.push(`${at}: clients were shown ${describeEvent(stored)}, ${broken}`)
  }
}
