import { createHash } from 'node:crypto'
import type { Logger } from '../../../../platform/logger.js'
import { silentLogger } from '../../../../platform/logger.js'
import { act } from './actions.js'
import { actAtOnce } from './at-once.js'
import type { World } from './world.js'
import { checkDelivery } from './delivery.js'
import { checkIdle, checkMail, checkRoom } from './agreement.js'
import { countEvents } from './counts.js'
import { crashInTransaction, crashWhileFetching } from './crashes.js'
import { lateJoin } from './finale.js'
import { redactBehindNewcomer } from './lax.js'
import { seeded } from './seeded.js'
import { joinThroughLiar } from './lying.js'
import { openingOf, type Opening } from './opening.js'
import { createPassing } from './passing.js'
import { membersOf } from './residents.js'
import { as, createSimNode, type SimNode } from './sim-node.js'
import { createTransport, FAIR, link, type Weather } from './transport.js'
import type { View } from './view.js'
import { virtualTime } from './virtual-time.js'

/** What came of one seed. */
export interface Outcome {
  readonly seed: number
  /** What may not be: nodes that disagree, something that was lost, work that never ends. */
  readonly faults: readonly string[]
  /** How often what happened. */
  readonly counts: Readonly<Record<string, number>>
  /** Of all that the nodes have in the end; the same for every run of the seed. */
  readonly digest: string
}

export interface RunOptions {
  readonly logger?: Logger
  /** For looking into a seed: what the nodes have of a room in the end. */
  inspect?(roomId: string, views: readonly View[]): void
}

/** A world of nodes that chat under trouble, then in peace, and must agree. Everything follows from the seed. */
export async function runSeed(seed: number, options: RunOptions = {}): Promise<Outcome> {
  const opening = await openingOf(seed)
  const time = virtualTime(opening.at)
  time.install()
  try {
    return await simulate(seed, opening, time, options)
  } finally {
    time.uninstall()
  }
}

async function simulate(
  seed: number,
  opening: Opening,
  time: ReturnType<typeof virtualTime>,
  { logger = silentLogger, inspect }: RunOptions,
): Promise<Outcome> {
  const chance = seeded(`simulation ${seed}`)
  const transport = createTransport(time, chance.fork('transport'))
  const faults: string[] = [...opening.faults]
  const counts = new Map<string, number>()
  const count = (what: string, by = 1): void => void counts.set(what, (counts.get(what) ?? 0) + by)
  const digest = createHash('sha256')
  /** Of its own, so that what else happens in a seed stays as it is. */
  const rare = chance.fork('rare')
  const { pass, fault } = createPassing(time, faults, () => count('refused actions'))

  const nodes: SimNode[] = []
  const slowDisks = chance.chance(0.4)
  for (const { disk, ...server } of opening.servers) {
    nodes.push(
      await createSimNode({
        ...server,
        image: disk,
        diskMs: slowDisks ? chance.int(1, 40) : 0,
        time,
        transport,
        chance: chance.fork(server.name),
        logger,
      }),
    )
  }

  const rash = nodes.length > 2 && chance.chance(0.3) ? chance.pick(nodes).name : undefined
  const world: World = {
    nodes,
    users: nodes.flatMap((node) => node.users),
    rooms: [...opening.rooms],
    versionOf: new Map(opening.versionOf),
    rash,
    chance: chance.fork('actions'),
    acknowledged: [],
    mail: [],
    restored: new Map(),
    deceived: new Set(),
    counts,
    faults,
  }
  try {
    await pass(Promise.all(nodes.map((node) => node.start())))
    await pass()
    // A rash server's word on a room's state would be taken: who joins through it, or lacks what lies before an event, has nothing else.
    if (rash !== undefined) transport.silent.set(rash, new Set(['state', 'state_ids', 'make_join']))

    const rounds = { one: 1, two: 2, three: 3 }[chance.weighted({ one: 5, two: 4, three: 1 })]
    for (let round = 0; round < rounds; round++) {
      scheduleTrouble()
      if (round === 0 && chance.chance(0.25)) scheduleLoss()
      await pass()
      for (const node of nodes) node.spare()
    }
    const passage = { world, transport, time, pass, chance: chance.fork('finale') }
    if (chance.chance(0.4)) await lateJoin(passage)
    if (chance.chance(0.15)) await crashWhileFetching(passage)
    if (rare.chance(0.15)) await crashInTransaction({ ...passage, chance: rare })
    if (rare.chance(0.2)) await redactBehindNewcomer({ ...passage, chance: rare })
    if (chance.chance(0.7)) await joinThroughLiar(passage)
    await heal()
    await checkAll()
  } finally {
    for (const node of nodes) node.crash()
    await time.calm()
  }
  for (const [name, value] of transport.counts) count(name, value)
  for (const node of nodes) await node.close()
  return { seed, faults, counts: Object.fromEntries(counts), digest: digest.digest('hex') }

  /** Actions, crashes and partitions, at times of their own. */
  function scheduleTrouble(): void {
    const length = chance.int(5, 180) * 1_000
    const actions = chance.int(6, 18)
    transport.weather = weather()
    // Who is cut off for hours gives up: that is for another test.
    time.after(length + chance.int(0, 60_000), () => {
      transport.weather = FAIR
      transport.cut.clear()
    })
    for (let i = 0; i < actions; i++) {
      const serial = i + 100 * Math.floor(time.monotonic())
      time.after(chance.int(0, length), () => {
        count('actions')
        act(world, serial).catch(fault)
      })
    }
    for (let i = chance.int(0, 2); i > 0; i--) {
      const node = chance.pick(nodes)
      const at = chance.int(0, length)
      time.after(at, () => {
        if (node.process === undefined) return
        const down = chance.int(1, 20_000)
        const restart = (): void => {
          count('restarts')
          time.after(down, () => void node.start().catch(fault))
        }
        if (!rare.chance(0.3)) {
          node.crash()
          restart()
          return
        }
        let writes = rare.int(1, 4)
        node.crashWhenWritten(
          () => --writes === 0,
          () => {
            count('crashes after a write')
            restart()
          },
        )
      })
    }
    if (rare.chance(0.5)) {
      const serial = 50 + 100 * Math.floor(time.monotonic())
      time.after(rare.int(0, length), () => void actAtOnce(world, rare, serial).catch(fault))
    }
    if (nodes.length > 1 && chance.chance(0.9)) {
      for (let i = chance.int(1, 2); i > 0; i--) {
        const from = chance.int(0, length)
        const side = new Set(nodes.filter(() => chance.chance(0.5)))
        const cut = nodes.flatMap((one) =>
          nodes.flatMap((other) => (side.has(one) && !side.has(other) ? [link(one.name, other.name)] : [])),
        )
        if (cut.length === 0) continue
        time.after(from, () => {
          count('partitions')
          for (const pair of cut) transport.cut.add(pair)
        })
        time.after(from + chance.int(1_000, 120_000), () => {
          for (const pair of cut) transport.cut.delete(pair)
        })
      }
    }
  }

  /** A node loses its disk, and goes on from a backup. */
  function scheduleLoss(): void {
    const node = chance.pick(nodes)
    if (node.name === rash) return
    const [backedUp, lost, back] = [chance.int(0, 60_000), chance.int(1, 90_000), chance.int(1, 20_000)]
    let from = 0
    time.after(backedUp, () => {
      from = node.now()
      node.backUp()
    })
    time.after(backedUp + lost, () => {
      count('restored backups')
      node.crash()
      time.after(back, () => {
        // It may have been started meanwhile, after another crash.
        node.crash()
        world.restored.set(node.name, { from, to: node.now() })
        node
          .restore()
          .then(() => node.start())
          .catch(fault)
      })
    })
  }

  function weather(): Weather {
    const rough = chance.chance(0.6)
    const some = (most: number): number => (rough && chance.chance(0.5) ? chance.real() * most : 0)
    return {
      usualMs: chance.pick([5, 50, 400]),
      slow: some(0.3),
      slowMs: chance.pick([1_000, 10_000]),
      lost: some(0.2),
      answerLost: some(0.2),
      twice: some(0.2),
      trouble: some(0.1),
      deaf:
        rough && chance.chance(0.3)
          ? [chance.pick(['get_missing_events', 'state_ids', 'event', 'backfill'])]
          : [],
    }
  }

  /** In peace everybody speaks, one after the other, so that each has seen the heads of the others. */
  async function heal(): Promise<void> {
    for (const node of nodes) if (node.process === undefined) await pass(node.start())
    await pass()
    for (const node of nodes) await checkIdle(node, faults)
    for (const roomId of world.rooms) await checkDelivery(world, roomId)
    for (const roomId of world.rooms) {
      const speakers: { readonly node: SimNode; readonly userId: string }[] = []
      for (const node of nodes) {
        const [userId] = await membersOf(node, roomId)
        if (userId !== undefined && node.name !== world.rash) speakers.push({ node, userId })
      }
      // The first knows all heads only when the others have spoken.
      for (const [turn, { node, userId }] of [...speakers, ...speakers.slice(0, 1)].entries()) {
        const content = { displayname: `turn ${turn}` }
        await pass(node.process!.memberships.join(as(userId), { room: roomId, via: [], content }))
        await pass()
      }
    }
  }

  /** Somebody looks at the whole history: what came before the server or into a hole is fetched. */
  async function scrollBack(node: SimNode, roomId: string): Promise<void> {
    for (let page = 0; page < 10; page++) {
      let came = false
      const work = node.process!.replication.backfill.backfill(roomId, Number.MAX_SAFE_INTEGER, 100)
      await pass(work.then((more) => void (came = more)))
      if (!came) return
    }
  }

  async function checkAll(): Promise<void> {
    for (const node of nodes) await checkIdle(node, faults)
    await checkMail(world)
    // What counts is what is on disk, so everybody starts anew.
    for (const node of nodes) node.crash()
    await pass(Promise.all(nodes.map((node) => node.start())))
    await pass()
    if (world.rash !== undefined) count('rash servers')
    for (const node of nodes) for (const roomId of world.rooms) await scrollBack(node, roomId)
    for (const { node, roomId, eventId, at } of world.acknowledged) {
      const lost = world.restored.get(node)
      // What nobody else has is lost with the disk; what others have is looked for below.
      if (lost !== undefined && at >= lost.from && at <= lost.to) continue
      const known = await nodes.find(({ name }) => name === node)!.process!.context.events.byId(eventId)
      if (known?.event.roomId !== roomId || known.rejected !== undefined || known.softFailed)
        faults.push(`${node} has lost ${eventId}, for which its sender was answered`)
    }
    for (const roomId of world.rooms) {
      const views = await checkRoom(world, roomId)
      inspect?.(roomId, views)
      count('rooms')
      for (const view of views)
        digest.update(`${view.server} ${[...view.events.keys()].join()} ${view.heads.join()}\n`)
      await countEvents(views, count)
    }
  }
}
