/** Two branches of a room that set the same keys, and the event that joins them: how long its resolution takes, and what else can run meanwhile. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [dist, count] = [process.argv[2], Number(process.argv[3])]
const part = (path) => import(pathToFileURL(join(dist, path)).href)
const [
  { openSqlite },
  { buildRooms },
  { roomVersion },
  ed25519,
  random,
  clock,
  logger,
  notifier,
  local,
  apply,
  build,
  workers,
] = await Promise.all(
  [
    'storage/sqlite-store.js',
    'composition/rooms.js',
    'core/room-version/versions.js',
    'platform/ed25519.js',
    'platform/random.js',
    'platform/clock.js',
    'platform/logger.js',
    'platform/notifier.js',
    'services/rooms/add-local-event.js',
    'services/rooms/apply-event.js',
    'core/event/build.js',
    'workers/state-resolver.js',
  ].map(part),
)

const SERVER = 'bench.example'
const OWNER = `@owner:${SERVER}`
const BATCH = 64
const folder = mkdtempSync(join(tmpdir(), 'chancery-bench-'))
const store = await openSqlite({ path: join(folder, 'rooms.db'), durability: 'none' })
try {
  const key = ed25519.createSigner(ed25519.generateSigningKey(random.systemRandom))
  const signer = { serverName: SERVER, keyId: key.keyId, sign: key.sign }
  const resolver = workers.createStateResolver({ logger: logger.silentLogger })
  const { context } = buildRooms({
    resolver,
    store,
    clock: clock.systemClock,
    random: random.systemRandom,
    logger: logger.silentLogger,
    notifier: notifier.createNotifier(),
    serverName: SERVER,
    signer,
    defaultRoomVersion: '11',
    memberHooks: { *remoteUsersLeft() {}, *roomLeft() {}, *localUserJoined() {} },
    wakeSender: () => undefined,
  })
  const rules = roomVersion('11')
  const roomId = `!fork:${SERVER}`
  const [create, member, levels] = await context.writer.create(roomId, rules, async (room) => {
    const made = []
    for (const draft of [
      { type: 'm.room.create', content: { room_version: '11' } },
      { type: 'm.room.member', stateKey: OWNER, content: { membership: 'join' } },
      { type: 'm.room.power_levels', content: { users: { [OWNER]: 100 } } },
    ]) {
      const stored = await local.addLocalEvent(room, { sender: OWNER, stateKey: '', ...draft }, context.local)
      made.push(stored.event)
    }
    return made
  })
  let ts = 1_700_000_000_000
  const event = (fields, prev) =>
    build.buildEvent(
      {
        sender: OWNER,
        roomId,
        originServerTs: ts++,
        depth: Math.max(...prev.map(({ depth }) => depth)) + 1,
        prevEvents: prev.map(({ id }) => id),
        authEvents: [create.id, levels.id, member.id],
        ...fields,
      },
      rules,
      signer,
    )
  /** As events from before, so that nothing is resolved on the way. */
  async function branch(side) {
    let last = levels
    for (let i = 0; i < count / 2; i += BATCH) {
      const events = []
      for (let n = i; n < Math.min(i + BATCH, count / 2); n++) {
        last = event({ type: 'org.example.part', stateKey: `part ${n}`, content: { side } }, [last])
        events.push(last)
      }
      await Promise.all(
        events.map((one) =>
          context.writer.write(roomId, (room) =>
            apply.applyEvent(room, one, { live: false, origin: SERVER, ord: ts }, context.local),
          ),
        ),
      )
    }
    return last
  }
  const ends = [await branch('left'), await branch('right')]
  const merge = event({ type: 'm.room.message', stateKey: undefined, content: { body: 'both' } }, ends)
  let longest = 0
  let last = performance.now()
  const look = () => {
    longest = Math.max(longest, performance.now() - last)
    last = performance.now()
  }
  const watch = setInterval(look, 1)
  const cpu = process.cpuUsage()
  const began = performance.now()
  await context.writer.write(roomId, (room) =>
    apply.applyEvent(room, merge, { live: false, origin: SERVER, ord: ts }, context.local),
  )
  const ms = performance.now() - began
  const { user, system } = process.cpuUsage(cpu)
  look()
  clearInterval(watch)
  const result = {
    events: count,
    ms,
    cpuMs: (user + system) / 1000,
    loopMaxMs: longest,
  }
  await resolver.close()
  process.send(result, () => process.disconnect())
} finally {
  await store.close()
  rmSync(folder, { recursive: true, force: true })
}
