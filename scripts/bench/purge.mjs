import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createClient } from './client.mjs'
import { spent } from './gauges.mjs'
import { quantiles } from './numbers.mjs'
import { message, sendPath } from './send.mjs'
import { load, openStore } from './stopped-node.mjs'
import { createRooms, joinMembers, registerUsers } from './world.mjs'

const ROOMS = 20
const MEMBERS = 5
const PORTION = 2_000
const DAY_MS = 86_400_000
const OLD_MS = 40 * DAY_MS
/** People who talk, and how long each waits between two messages: a ministry at work, not a flood. */
const TALKERS = 4
const PAUSE_MS = 20
const CALM_MS = 10_000

const retention = { enabled: true, public_rooms: { most: '30d' }, interval: '365d' }
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Copies of one message in each room whose time is over, also in the search index. */
async function writeOldMessages(dist, node, database, count, say) {
  const { insertEvents } = await load(dist, 'storage/tables/events.js')
  const { insertSearchDocs } = await load(dist, 'storage/tables/search.js')
  const { indexEntry } = await load(dist, 'services/search/index-words.js')
  const { all, run } = await load(dist, 'storage/tx.js')
  const store = await openStore(dist, node, database)
  const first = 1_000_000
  const since = Date.now() - OLD_MS
  try {
    const templates = await store.read('bench', () =>
      all("SELECT * FROM events WHERE type = 'm.room.message'"),
    )
    for (let from = 0; from < count; from += PORTION) {
      const rows = Array.from({ length: Math.min(PORTION, count - from) }, (_, index) => {
        const place = from + index
        const template = templates[place % templates.length]
        return {
          ...template,
          ...{ nid: first + place, event_id: `$${String(place).padStart(43, 'x')}`, ts: since + place },
          ...{ pos: null, ord: -1 - place, txn: null },
        }
      })
      await store.write('bench', function* () {
        yield* insertEvents(rows)
        yield* insertSearchDocs(rows.map((row) => indexEntry(row)))
      })
      if (from % 100_000 === 0) say(`${from.toLocaleString('en')} old messages written`)
    }
    // The rooms have been gone through up to a month ago; what is written now lies before that.
    await store.write('bench', () => run('DELETE FROM retention_rooms'))
    await store.write('bench', () =>
      run('UPDATE nid_allocators SET next = ? WHERE next < ?', first + count, first + count),
    )
  } finally {
    await store.close()
  }
}

/** Talks until told to stop; gives how long each message took. */
async function talk(client, users, rooms, isOver) {
  const waits = []
  await Promise.all(
    Array.from({ length: TALKERS }, async (_, index) => {
      for (let n = index; !isOver(); n += TALKERS) {
        const before = performance.now()
        await client.text('PUT', sendPath(rooms[n % rooms.length], 'p'), users[0].token, message('a message'))
        waits.push(performance.now() - before)
        await pause(PAUSE_MS)
      }
    }),
  )
  return waits
}

const talkFor = (client, users, rooms, ms) => {
  const end = performance.now() + ms
  return talk(client, users, rooms, () => performance.now() > end)
}

/** What the node says that it has purged, and the moment of its last record. */
async function purged(command) {
  const { stdout } = await command('records')
  const records = stdout.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line).record) // prettier-ignore
  return records.reduce((sum, { events }) => sum + events, 0)
}

/** Messages while so many old ones are purged, beside messages while nothing is. */
export async function measurePurge(start, dist, database, count, say) {
  let node = await start(undefined, { retention })
  let client = createClient(node.url, 16)
  try {
    const users = await registerUsers(client, MEMBERS, 'talker')
    const rooms = await createRooms(client, users, ROOMS)
    await joinMembers(client, users, rooms, MEMBERS)
    for (const room of rooms)
      await client.text('PUT', sendPath(room, 'template'), users[0].token, message('x'.repeat(300)))
    await talkFor(client, users, rooms, 3_000)
    say('messages while nothing is purged')
    const calm = await talkFor(client, users, rooms, CALM_MS)
    await client.close()
    await node.stop()
    await writeOldMessages(dist, node, database, count, say)
    // The purge begins when the node starts.
    say('messages while the old ones are purged')
    node = await start(node.folder, { retention })
    client = createClient(node.url, 16)
    const args = [join(dist, 'main.js'), 'retention']
    const config = ['--config', join(node.folder, 'homeserver.yaml')]
    const command = (action) =>
      promisify(execFile)(process.execPath, [...args, action, ...config], { maxBuffer: 1 << 28 })
    let isOver = false
    const run = command('purge').finally(() => {
      isOver = true
    })
    const { result: during, ms, cpuMs, loopMaxMs } = await spent(client, () => talk(client, users, rooms, () => isOver)) // prettier-ignore
    await run
    const events = await purged(command)
    if (events !== count) throw new Error(`${events} events were purged, not ${count}`)
    return {
      events,
      seconds: ms / 1000,
      perSecond: (events / ms) * 1000,
      cpuMs,
      loopMaxMs,
      calm: { sends: calm.length, ...quantiles(calm) },
      during: { sends: during.length, ...quantiles(during) },
    }
  } finally {
    await client.close()
    await node.stop()
    node.remove()
  }
}
