import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { numbersFrom } from '../../src/platform/testing-numbers.js'
import { readDiskLog, replay } from '../../src/storage/durability/disk-log.js'
import { eventually, v3 } from '../harness/client.js'
import { startNode, testAuthority, type Node } from '../harness/node.js'
import { buildShim } from './disk-shim.js'
import { inspectDisk } from './inspect-disk.js'
import { allMessages, pause, startSender } from './load.js'
import { expectEachOnce, makeLoadedRooms, startLoad, type Load, type LoadedRooms } from './loaded-node.js'

/** CI cuts 50 times. */
const CUTS = Number(process.env['CHANCERY_POWER_CUTS'] ?? 4)
const ROOMS = 3
const SENDERS = 6
/** Of each sector that was written and not synced, how likely it is there after the cut. */
const LUCK = [0, 0.1, 0.5, 0.9, 1]
const SYNC_MS = 2

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'chancery-cut-')))
const shim = process.env['CHANCERY_TEST_STORE'] === 'postgres' ? undefined : buildShim(folder)
const withShim = shim === undefined ? describe.skip : describe
const seed = Number(process.env['CHANCERY_CUT_SEED'] ?? Date.now() % 2 ** 31)

/** Files of the database; what SQLite rebuilds after a crash is not among them. */
const KEPT = /^homeserver\.db(-wal|-journal)?$/
const REBUILT = /^homeserver\.db-(shm|lock)$/

withShim('a node whose power is cut', () => {
  const env: Record<string, string> = {}
  const random = numbersFrom(seed)
  let node: Node
  let other: Node
  let made: LoadedRooms
  let load: Load | undefined
  /** Every time that an event came to the remote user, by id. */
  const arrivals = new Map<string, number>()
  let stopFollowing: (() => Promise<void>) | undefined
  let runs = 0
  let before = new Map<string, Buffer>()

  /** Starts the node on the disk that keeps a log. */
  async function startRecorded(): Promise<string> {
    before = new Map(
      readdirSync(node.folder)
        .filter((name) => KEPT.test(name))
        .map((name) => [name, readFileSync(join(node.folder, name))]),
    )
    const log = join(folder, `run${runs++}.log`)
    Object.assign(env, {
      LD_PRELOAD: shim,
      SHIM_DIR: realpathSync(node.folder),
      SHIM_LOG: log,
      SHIM_SYNC_US: String(SYNC_MS * 1_000),
    })
    await node.start()
    return log
  }

  /** Ends the node at once, and leaves of its files what a cut of the power might have left. */
  async function cutPower(log: string, luck: number, synced = true): Promise<void> {
    await node.kill()
    const records = readDiskLog(log).filter(
      ({ type }) => synced || (type !== 'sync-begins' && type !== 'sync-ends'),
    )
    const disk = replay(records, before)
    disk.advance(records.length)
    const touched = new Set(records.filter(({ type }) => type === 'named').map(({ data }) => data.toString()))
    for (const name of readdirSync(node.folder)) {
      if (REBUILT.test(name) || (KEPT.test(name) && touched.has(name))) rmSync(join(node.folder, name))
    }
    const image = mkdtempSync(join(folder, 'image-'))
    disk.cutInto(image, luck, random)
    for (const name of readdirSync(image).filter((one) => KEPT.test(one))) {
      writeFileSync(join(node.folder, name), readFileSync(join(image, name)))
    }
    rmSync(image, { recursive: true })
    rmSync(log)
  }

  /** Counts what comes to the remote user's timeline of the shared room. */
  async function follow(): Promise<void> {
    const filter = JSON.stringify({ room: { timeline: { limit: 1_000 } } })
    const { remote, shared } = made
    let since = (await remote.ok('GET', v3('/sync'), undefined, { filter })).next_batch as string
    let following = true
    const loop = (async () => {
      while (following) {
        const answer = await remote.ok('GET', v3('/sync'), undefined, { since, filter, timeout: 500 })
        since = answer.next_batch
        const timeline = answer.rooms?.join?.[shared]?.timeline
        if (timeline === undefined) continue
        expect(timeline.limited).toBe(false)
        for (const event of timeline.events)
          arrivals.set(event.event_id, (arrivals.get(event.event_id) ?? 0) + 1)
      }
    })()
    stopFollowing = async () => {
      following = false
      await loop
    }
  }

  beforeAll(async () => {
    const authority = testAuthority()
    node = await startNode({ authority, env })
    other = await startNode({ authority })
    made = await makeLoadedRooms(node, other, { users: SENDERS, rooms: ROOMS })
    await follow()
    await node.stop()
  })
  afterAll(async () => {
    await Promise.allSettled((load?.senders ?? []).map((sender) => sender.stop()))
    await stopFollowing?.().catch(() => undefined)
    await node?.dispose()
    await other?.dispose()
    rmSync(folder, { recursive: true, force: true })
  })

  it(
    `${CUTS} times under load keeps every event that it has answered for, whole (seed ${seed})`,
    async () => {
      load = startLoad(made)
      for (let cut = 0; cut < CUTS; cut++) {
        const log = await startRecorded()
        await load.goesOn()
        await pause(random() * 500)
        // What is answered from now on may be lost or not; what was answered before may not be.
        const answered = load.answered(false)
        await cutPower(log, LUCK[cut % LUCK.length]!)
        for (const id of load.answered(false).keys()) answered.set(id, false)
        const { events } = inspectDisk(node.folder, answered)
        expect(events).toBeGreaterThanOrEqual(answered.size)
      }
      await node.start()
      await pause(200)
      for (const sender of load.senders) await sender.stop()
    },
    60_000 + CUTS * 30_000,
  )

  it('has each message exactly once, also those that were sent again', () => expectEachOnce(made, load!))

  it('goes on sending to other servers what waited, each event once, and nothing that it has lost itself', async () => {
    const there = (await allMessages(made.users[0]!, made.shared)).map(({ eventId }) => eventId)
    await eventually('all of them arrive', async () => there.every((id) => arrivals.has(id)), 60_000)
    await stopFollowing!()
    stopFollowing = undefined
    expect([...arrivals.values()].filter((times) => times !== 1)).toEqual([])
    expect([...arrivals.keys()].toSorted()).toEqual(there.toSorted())
  })

  it('is seen to lose what it has answered for where nothing is synced, as with synchronous=OFF', async () => {
    await node.stop()
    const log = await startRecorded()
    const sender = startSender(made.users[1]!, made.rooms[1]!, 'unsynced')
    await eventually('some are answered', async () => sender.answered.length > 20)
    await cutPower(log, 0, false)
    const answered = new Map(sender.answered.map(({ eventId }) => [eventId, false]))
    expect(existsSync(join(node.folder, 'homeserver.db'))).toBe(true)
    expect(() => inspectDisk(node.folder, answered)).toThrow()
    await node.start()
    await sender.stop()
  })
})
