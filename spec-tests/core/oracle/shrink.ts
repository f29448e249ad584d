import { without, type Room } from './blueprint.js'

/**
 * The smallest room found, by leaving out events and loose PDUs one at a time, in which the fault is still there.
 * The rooms are built anew each time, so ids change; at most `budget` rooms are tried.
 */
export async function shrink(
  room: Room,
  stillFaulty: (room: Room) => Promise<boolean>,
  budget = 600,
): Promise<Room> {
  let smallest = (await stillFaulty({ ...room, loose: [] })) ? { ...room, loose: [] } : room
  let progress = true
  while (progress && budget > 0) {
    progress = false
    for (let place = smallest.blueprints.length - 1; place > 0 && budget > 0; place--, budget--) {
      const smaller = without(smallest, place)
      if (await stillFaulty(smaller)) {
        smallest = smaller
        progress = true
      }
    }
    for (const [place, blueprint] of smallest.blueprints.entries()) {
      if (blueprint.prev.length < 2 || budget <= 0) continue
      for (const dropped of blueprint.prev) {
        budget--
        const prev = blueprint.prev.filter((other) => other !== dropped)
        const blueprints = smallest.blueprints.with(place, { ...blueprint, prev })
        if (await stillFaulty({ ...smallest, blueprints })) {
          smallest = { ...smallest, blueprints }
          progress = true
          break
        }
      }
    }
  }
  return smallest
}
