import { stagedCount } from '../../../../storage/tables/staging.js'
import { speak, type Passage } from './finale.js'
import { residents } from './residents.js'
import { as } from './sim-node.js'
import { link } from './transport.js'

/** More steps than anything takes to arrive. */
const MAX_STEPS = 200
/** In which what was staged is settled, whoever is out of reach. */
const SETTLED_MS = 15 * 60_000
/** In which an attempt to send into the void is over. */
const CUT_MS = 4_000

/** A server that asks a second one for what it cannot have of the first ends in the middle of it. */
export async function crashWhileFetching(passage: Passage): Promise<void> {
  const { world, transport, time, pass, chance } = passage
  for (const roomId of world.rooms) {
    const [first, second, third] = await residents(passage, roomId)
    if (first === undefined || second === undefined || third === undefined) continue
    const staged = (): Promise<number> => third.node.disk.read('sim.staged', () => stagedCount(1))
    transport.cut.add(link(first.node.name, third.node.name))
    await pass(speak(passage, first.node, first.userId, roomId, `unheard ${chance.int(0, 1_000_000)}`))
    await pass(time.sleep(2_000))
    await pass(speak(passage, second.node, second.userId, roomId, `heard ${chance.int(0, 1_000_000)}`))
    for (let i = 0; i < MAX_STEPS && (await staged()) === 0; i++) await time.step()
    if ((await staged()) > 0) {
      world.counts.set('crashes while fetching', (world.counts.get('crashes while fetching') ?? 0) + 1)
      third.node.crash()
      await pass(time.sleep(1_000))
      await pass(third.node.start())
      await pass(time.sleep(SETTLED_MS))
      if ((await staged()) > 0)
        world.faults.push(`${third.node.name}: what it was given before it ended waits for ever`)
    }
    transport.cut.clear()
    await pass()
  }
}

/**
 * A server ends when what a transaction says of rooms is on its disk, and what it says to devices is not: the transaction comes again, and
 * nothing of it is lost.
 */
export async function crashInTransaction(passage: Passage): Promise<void> {
  const { world, transport, time, pass, chance } = passage
  const [roomId] = world.rooms
  const [first, second] = await residents(passage, roomId!)
  if (first === undefined || second === undefined) return
  transport.cut.add(link(first.node.name, second.node.name))
  // The first attempt fails with one event alone; what is said meanwhile goes with it next time.
  await pass(speak(passage, first.node, first.userId, roomId!, `before the end ${chance.int(0, 1_000_000)}`))
  await pass(time.sleep(CUT_MS))
  const [to] = second.node.users
  const body = `mail before the end ${chance.int(0, 1_000_000)}`
  await pass(
    first.node.process!.toDevice.send(as(first.userId), 'org.example.mail', body, {
      [to!]: { DEVICE: { body } },
    }),
  )
  world.mail.push({ body, to: to!, from: first.node.name })
  second.node.crashWhenWritten(
    (label) => label === 'inbound.stage',
    () => {
      world.counts.set('crashes in a transaction', (world.counts.get('crashes in a transaction') ?? 0) + 1)
      time.after(chance.int(1_000, 5_000), () => void second.node.start())
    },
  )
  transport.cut.clear()
  await pass()
  second.node.spare()
}
