import { compareByTime } from '../event/order.js'
import type { RoomEvent } from '../event/types.js'

type Events = (id: string) => RoomEvent | undefined

/**
 * Sorts events by mainline ordering: by the place on the chain of power levels events (the mainline, from the oldest
 * to `levels`) that their own chain of power levels meets first, those that never meet it in front; then by time and
 * id. Each power levels event is visited once, however many events lead to it.
 * SPEC: https://spec.matrix.org/v1.19/rooms/v2/#definitions
 */
export function mainlineSort(
  toSort: readonly RoomEvent[],
  levels: RoomEvent | undefined,
  events: Events,
): readonly RoomEvent[] {
  const mainline: string[] = []
  const position = new Map<string, number>()
  const seen = new Set<string>()
  for (let event = levels; event !== undefined && !seen.has(event.id); event = levelsBehind(event, events)) {
    seen.add(event.id)
    mainline.push(event.id)
  }
  for (const [index, id] of mainline.entries()) position.set(id, mainline.length - index)

  const positionOf = (start: RoomEvent): number => {
    const path: string[] = []
    const visited = new Set<string>()
    let found = 0
    for (
      let event: RoomEvent | undefined = start;
      event !== undefined && !visited.has(event.id);
      event = levelsBehind(event, events)
    ) {
      const known = position.get(event.id)
      if (known !== undefined) {
        found = known
        break
      }
      visited.add(event.id)
      path.push(event.id)
    }
    for (const id of path) position.set(id, found)
    return found
  }

  const keyed = toSort.map((event) => ({ event, place: positionOf(event) }))
  keyed.sort((a, b) => a.place - b.place || compareByTime(a.event, b.event))
  return keyed.map(({ event }) => event)
}

/** The power levels event among an event's auth events. */
function levelsBehind(event: RoomEvent, events: Events): RoomEvent | undefined {
  for (const id of event.authEvents) {
    const auth = events(id)
    if (auth?.type === 'm.room.power_levels' && auth.stateKey === '') return auth
  }
  return undefined
}
