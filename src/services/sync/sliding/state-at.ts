import type { NodeName } from '../../../core/state-trie/node.js'
import { stateKeysEverOf } from '../../../storage/tables/state.js'
import type { RoomsContext } from '../../rooms/context.js'
import { mapKey, type StateKey } from '../../rooms/state-store.js'
import type { StoredEvent } from '../../rooms/stored-event.js'
import type { StateLookup } from './required-state.js'

type Context = Pick<RoomsContext, 'store' | 'events' | 'states'>

/**
 * The part of a state that a lookup names and `wants` admits. All keys of a type are found without going through the state where this server has seen
 * all that ever changed in the room; the members of a large room are then never touched.
 */
export async function stateAt(
  context: Context,
  roomNid: number,
  root: NodeName,
  lookup: StateLookup,
  wants: (type: string, stateKey: string) => boolean = () => true,
): Promise<readonly StoredEvent[]> {
  const keys: StateKey[] = [...lookup.keys]
  let whole = lookup.everything
  if (!whole && lookup.types.length > 0) {
    const ever = await context.store.read('sliding.stateKeys', () => stateKeysEverOf(roomNid, lookup.types))
    if (ever === undefined) whole = true
    else keys.push(...ever.map((row) => ({ type: row.type, stateKey: row.state_key })))
  }
  const nids = whole
    ? await nidsOfWhole(context, roomNid, root, lookup, wants)
    : [
        ...(
          await context.states.read(
            roomNid,
            root,
            keys.filter(({ type, stateKey }) => wants(type, stateKey)),
          )
        ).values(),
      ]
  return [...(await context.events.byNids(nids)).values()]
}

async function nidsOfWhole(
  context: Context,
  roomNid: number,
  root: NodeName,
  lookup: StateLookup,
  wants: (type: string, stateKey: string) => boolean,
): Promise<readonly number[]> {
  const all = await context.states.all(roomNid, root)
  const names = await context.states.keysOf([...all.keys()])
  const types = new Set(lookup.types)
  const keys = new Set(lookup.keys.map(mapKey))
  return [...all].flatMap(([key, nid]) => {
    const name = names.get(key)
    if (name === undefined || !wants(name.type, name.stateKey)) return []
    return lookup.everything || types.has(name.type) || keys.has(mapKey(name)) ? nid : []
  })
}
