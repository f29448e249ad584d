/**
 * npm run bench [-- OPTIONS]: measures one node through its client API, and what it does with other servers where that is asked for. `--help` lists the options.
 *
 * The node is a process of its own with its own database, the load comes from this one; both share the machine. Every event
 * is on disk before it is acknowledged. CPU times are the node's own, as its metrics tell them.
 */
import { cpus, loadavg } from 'node:os'
import { join, resolve } from 'node:path'
import { measureAccessRules } from './bench/access-rules.mjs'
import { measureCircle } from './bench/circle.mjs'
import { createClient } from './bench/client.mjs'
import { growth, postgresDatabase, postgresTables, sqliteTables } from './bench/disk.mjs'
import { measureFanOut } from './bench/fan-out.mjs'
import { measureFederation } from './bench/federation/measure.mjs'
import { readGauges, spent } from './bench/gauges.mjs'
import { measureInitialSync } from './bench/initial-sync.mjs'
import { startNode } from './bench/node.mjs'
import { readOptions, USAGE } from './bench/options.mjs'
import { measureLarge } from './bench/large.mjs'
import { measurePurge } from './bench/purge.mjs'
import { report } from './bench/report.mjs'
import { measureSearch } from './bench/search.mjs'
import { measureSends } from './bench/send.mjs'
import { measureSliding } from './bench/sliding.mjs'
import { createRooms, joinMembers, registerUsers, userWithRooms } from './bench/world.mjs'
import { giveUp, prepare, ROOT } from './prepare.mjs'

/** Memory is read when the node has settled. */
const IDLE_MS = 2_000

function options() {
  try {
    return readOptions(process.argv.slice(2))
  } catch (error) {
    return giveUp(`${error.message}\n\n${USAGE}`, 2)
  }
}

const say = (text) => process.stderr.write(`bench: ${text}\n`)
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

async function measure(node, settings, tables) {
  const client = createClient(node.url, 64)
  try {
    await pause(IDLE_MS)
    const idle = await readGauges(client)
    say('users and rooms')
    const registered = await spent(client, () => registerUsers(client, settings.users))
    const users = registered.result
    const rooms = await createRooms(client, users, settings.rooms)
    const beforeJoins = await tables()
    const joined = await spent(client, () => joinMembers(client, users, rooms, settings.members))
    const afterJoins = await tables()
    const world = { users, rooms, members: settings.members }

    const sends = []
    const beforeSends = await tables()
    for (const [senders, count] of [
      [settings.senders, settings.rooms],
      [settings.senders, 1],
      [1, 1],
    ]) {
      say(`${senders} senders, ${count} rooms`)
      sends.push(await measureSends(client, world, { senders, rooms: count, seconds: settings.seconds }))
    }
    const afterSends = await tables()
    const events = afterSends.get('events').rows - beforeSends.get('events').rows
    say('fan-out')
    const fanOut = await measureFanOut(node.url, client, world, settings.seconds)
    say('initial sync')
    const initialSyncs = [await measureInitialSync(client, users.slice(0, 20))]
    if (settings.syncRooms > 0) {
      const user = await userWithRooms(client, settings.syncRooms)
      initialSyncs.push(await measureInitialSync(client, [user, user, user, user, user]))
    }
    await pause(IDLE_MS)
    const after = await readGauges(client)
    return {
      startUpMs: node.startUpMs,
      idleRssBytes: idle.rssBytes,
      rssBytes: after.rssBytes,
      cpuMsPerUser: registered.cpuMs / users.length,
      cpuMsPerJoin: joined.cpuMs / joined.result,
      sends,
      fanOut,
      initialSyncs,
      diskPerSend: growth(beforeSends, afterSends, events),
      diskPerJoin: growth(beforeJoins, afterJoins, joined.result),
    }
  } finally {
    await client.close()
  }
}

/** On a node that has done nothing before, so that its memory is that of what is measured. */
async function measureLargeNode(start, settings) {
  const database = settings.postgres === undefined ? undefined : await postgresDatabase(settings.postgres)
  let node
  let client
  try {
    node = await start(database?.url)
    client = createClient(node.url, 64)
    return await measureLarge(node.url, client, settings.large, say)
  } finally {
    await client?.close()
    await node?.stop()
    node?.remove()
    await database?.drop()
  }
}

/** On a node with a database of its own, which is as large as the messages in it. */
async function measureSearches(start, dist, settings) {
  const database = settings.postgres === undefined ? undefined : await postgresDatabase(settings.postgres)
  try {
    return await measureSearch(
      (from) => start(database?.url, from),
      dist,
      database?.url,
      settings.search,
      say,
    )
  } finally {
    await database?.drop()
  }
}

/** On a node of its own, which is started again so that nothing is in memory. */
async function measureSlidingNode(start, settings) {
  const database = settings.postgres === undefined ? undefined : await postgresDatabase(settings.postgres)
  try {
    return await measureSliding((from) => start(database?.url, from), settings.sliding, say)
  } finally {
    await database?.drop()
  }
}

/** Each node on a database of its own. */
async function measureBetweenServers(start, dist, settings) {
  const databases = []
  const another = async (federation) => {
    if (settings.postgres === undefined) return start(undefined, undefined, federation)
    const database = await postgresDatabase(settings.postgres)
    databases.push(database)
    return start(database.url, undefined, federation)
  }
  try {
    return await measureFederation(another, dist, settings.federation, say)
  } finally {
    for (const database of databases) await database.drop()
  }
}

/** What one node does for its own users. */
async function measureClients(start, settings) {
  const database = settings.postgres === undefined ? undefined : await postgresDatabase(settings.postgres)
  let node
  try {
    node = await start(database?.url)
    const { databasePath } = node
    const tables = async () =>
      database === undefined ? sqliteTables(databasePath) : await postgresTables(database.url)
    return await measure(node, settings, tables)
  } finally {
    await node?.stop()
    if (settings.keep && node !== undefined) say(`kept: ${node.folder}`)
    else node?.remove()
    await database?.drop()
  }
}

/** With access rules and without, each node on a database of its own. */
async function measureBothWays(start, settings) {
  const databases = []
  const another = async (config) => {
    if (settings.postgres === undefined) return start(undefined, undefined, undefined, config)
    const database = await postgresDatabase(settings.postgres)
    databases.push(database)
    return start(database.url, undefined, undefined, config)
  }
  try {
    return await measureAccessRules(another, settings.accessRules, say)
  } finally {
    for (const database of databases) await database.drop()
  }
}

/** On a node with a database of its own, which is as large as what is purged. */
async function measurePurges(start, dist, settings) {
  const database = settings.postgres === undefined ? undefined : await postgresDatabase(settings.postgres)
  try {
    return await measurePurge(
      (from, config) => start(database?.url, from, undefined, config),
      dist,
      database?.url,
      settings.purge,
      say,
    )
  } finally {
    await database?.drop()
  }
}

async function measureDirectories(start, dist, settings) {
  const database = settings.postgres === undefined ? undefined : await postgresDatabase(settings.postgres)
  try {
    return await measureCircle(
      (federation, config) => start(database?.url, undefined, federation, config),
      dist,
      settings.circle,
      say,
    )
  } finally {
    await database?.drop()
  }
}

async function main() {
  const settings = options()
  if (settings.help) {
    console.log(USAGE)
    return
  }
  if (settings.dist === undefined) prepare()
  const load = loadavg()[0].toFixed(1)
  const dist = resolve(settings.dist ?? join(ROOT, 'dist'))
  const start = (url, from, federation, config) =>
    startNode({
      main: join(dist, 'main.js'),
      from,
      federation,
      config,
      database: url === undefined ? undefined : { driver: 'postgres', url },
      profile: settings.profile === undefined ? undefined : resolve(settings.profile),
    })
  const result = {
    machine: {
      node: process.version,
      cpus: cpus().length,
      cpu: cpus()[0]?.model ?? 'unknown',
      database: settings.postgres === undefined ? 'SQLite' : 'PostgreSQL',
      load,
    },
    options: { ...settings, postgres: undefined },
    ...(settings.onlyFederation ||
    settings.accessRules !== undefined ||
    settings.purge > 0 ||
    settings.circle !== undefined
      ? {}
      : await measureClients(start, settings)),
    accessRules: settings.accessRules === undefined ? undefined : await measureBothWays(start, settings),
    purge: settings.purge === 0 ? undefined : await measurePurges(start, dist, settings),
    circle: settings.circle === undefined ? undefined : await measureDirectories(start, dist, settings),
    large: settings.large === undefined ? undefined : await measureLargeNode(start, settings),
    sliding: settings.sliding === undefined ? undefined : await measureSlidingNode(start, settings),
    searches: settings.search === 0 ? undefined : await measureSearches(start, dist, settings),
    federation:
      settings.federation === undefined ? undefined : await measureBetweenServers(start, dist, settings),
  }
  console.log(settings.json ? JSON.stringify(result, undefined, 2) : report(result))
}

await main()
