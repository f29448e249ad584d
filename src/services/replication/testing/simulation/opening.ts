import { silentLogger } from '../../../../platform/logger.js'
import { createRooms } from './create-rooms.js'
import type { Copy } from './memory-store.js'
import { createPassing } from './passing.js'
import { seeded } from './seeded.js'
import { createSimNode, type SimNode } from './sim-node.js'
import { createTransport } from './transport.js'
import { virtualTime } from './virtual-time.js'
import type { World } from './world.js'

/** Servers, users and rooms as a run finds them. Making them costs as much as the run: many runs begin with the same. */
export interface Opening {
  readonly servers: readonly OpeningServer[]
  readonly rooms: readonly string[]
  readonly versionOf: ReadonlyMap<string, string>
  /** When it is over, in milliseconds of the monotonic clock. */
  readonly at: number
  readonly faults: readonly string[]
}

export interface OpeningServer {
  readonly name: string
  readonly users: readonly string[]
  /** The other servers of this world. */
  readonly others: readonly string[]
  /** How far its clock is from everybody's, in milliseconds. */
  readonly clockError: number
  readonly disk: Copy
}

/** So many are there; a seed has that of its number. */
const OPENINGS = 120
const LETTERS = ['a', 'b', 'c', 'd']

const made = new Map<number, Opening>()

/** The opening of a seed. Pre: no virtual time is installed. */
export async function openingOf(seed: number): Promise<Opening> {
  const number = seed % OPENINGS
  let opening = made.get(number)
  if (opening === undefined) made.set(number, (opening = await makeOpening(number)))
  return opening
}

/** Fair weather: all of it follows from the number. */
async function makeOpening(number: number): Promise<Opening> {
  const time = virtualTime()
  time.install()
  try {
    const chance = seeded(`opening ${number}`)
    const transport = createTransport(time, chance.fork('transport'))
    const faults: string[] = []
    const { pass } = createPassing(time, faults, () => undefined)
    const count = { two: 2, three: 3, four: 4 }[chance.weighted({ two: 2, three: 5, four: 3 })]
    const letters = LETTERS.slice(0, count)
    const names = letters.map((letter) => `${letter}.example`)
    const servers = names.map((name, i) => ({
      name,
      users: [1, 2].map((n) => `@${letters[i]}${n}:${name}`),
      others: names.filter((other) => other !== name),
      clockError: chance.chance(0.5) ? 0 : chance.int(-20_000, 20_000),
    }))
    const nodes: SimNode[] = []
    for (const server of servers)
      nodes.push(
        await createSimNode({
          ...server,
          diskMs: 0,
          time,
          transport,
          chance: chance.fork(server.name),
          logger: silentLogger,
        }),
      )
    const rooms: string[] = []
    const versionOf = new Map<string, string>()
    const users = nodes.flatMap((node) => node.users)
    const world: Pick<World, 'nodes' | 'users' | 'rooms' | 'versionOf' | 'chance'> = {
      nodes,
      users,
      rooms,
      versionOf,
      chance: chance.fork('rooms'),
    }
    await pass(Promise.all(nodes.map((node) => node.start())))
    await pass(createRooms(world))
    await pass()
    for (const node of nodes) node.crash()
    await time.calm()
    const disks = nodes.map((node) => node.image())
    for (const node of nodes) await node.close()
    return {
      servers: servers.map((server, i) => ({ ...server, disk: disks[i]! })),
      rooms,
      versionOf,
      at: time.monotonic(),
      faults,
    }
  } finally {
    time.uninstall()
  }
}
