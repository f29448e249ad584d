import type { Blueprint } from './blueprint.js'
import type { Dice } from './random.js'

/** The shape of the room so far, and where its next event hangs. */
export interface Graph {
  size(): number
  add(blueprint: Blueprint): void
  /** The events of this room. */
  places(): readonly number[]
  /** The events that nothing follows yet. */
  heads(): number[]
  /** The predecessors of the next event: heads, or older events, which makes a fork. */
  predecessors(): number[]
  depthAfter(prev: readonly number[]): number
}

export function createGraph(dice: Dice): Graph {
  const depths: number[] = []
  const inRoom: number[] = []
  const followed = new Set<number>()
  const heads = (): number[] => inRoom.filter((place) => !followed.has(place))
  const recent = (): number => inRoom[Math.max(0, inRoom.length - 1 - dice.int(6))]!

  return {
    size: () => depths.length,
    places: () => inRoom,
    heads,
    add(blueprint) {
      const depth = typeof blueprint.depth === 'number' ? blueprint.depth : 1
      if (blueprint.outlier !== true) inRoom.push(depths.length)
      for (const place of blueprint.prev) followed.add(place)
      depths.push(depth)
    },
    predecessors() {
      return dice.weighted<() => number[]>([
        // One head, so that branches grow long.
        [42, () => [dice.pick(heads())]],
        [14, () => [recent()]],
        [30, () => dice.some(heads(), 2 + dice.int(4))],
        [9, () => [...new Set([recent(), recent(), dice.pick(heads())])]],
        [4, () => [dice.pick(inRoom)]],
        [1, () => []],
      ])()
    },
    depthAfter: (prev) => prev.reduce((depth, place) => Math.max(depth, depths[place]!), 0) + 1,
  }
}
