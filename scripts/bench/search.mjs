import { createClient, inRoom, v3 } from './client.mjs'
import { readGauges, spent } from './gauges.mjs'
import { quantiles } from './numbers.mjs'
import { message, sendPath } from './send.mjs'
import { load, openStore } from './stopped-node.mjs'
import { each, registerUsers } from './world.mjs'

const ROOMS = 100
/** Rooms of the user who searches in few of them. */
const FEW = 10
const WORDS_EACH = 8
const VOCABULARY = 30_000
const PORTION = 2_000
const SEARCHES = 200

/** The same numbers in each run: a linear congruential generator. */
function randomOf(seed) {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** Words as in a language: the n-th is about 1/n as frequent as the first. */
function speaker(seed) {
  const random = randomOf(seed)
  const word = () => `w${Math.floor(VOCABULARY ** random())}`
  return { word, text: () => Array.from({ length: WORDS_EACH }, word).join(' ') }
}

/**
 * Writes messages into the database of a stopped node: copies of one message in each room, with other words. Sending them would take
 * a quarter of an hour; what a search reads is the same.
 */
async function writeMessages(dist, node, database, count, say) {
  const { insertEvents } = await load(dist, 'storage/tables/events.js')
  const { insertSearchDocs } = await load(dist, 'storage/tables/search.js')
  const { indexEntry } = await load(dist, 'services/search/index-words.js')
  const { all, run } = await load(dist, 'storage/tx.js')
  const store = await openStore(dist, node, database)
  try {
    const templates = await store.read('bench', () =>
      all("SELECT * FROM events WHERE type = 'm.room.message'"),
    )
    const { text } = speaker(1)
    const first = 1_000_000
    for (let from = 0; from < count; from += PORTION) {
      const rows = Array.from({ length: Math.min(PORTION, count - from) }, (_, index) => {
        const place = first + from + index
        const template = templates[place % templates.length]
        const pdu = JSON.parse(template.json)
        const json = JSON.stringify({ ...pdu, content: { ...pdu.content, body: text() } })
        const eventId = `$${String(place).padStart(43, 'x')}`
        return {
          ...template,
          nid: place,
          event_id: eventId,
          pos: place,
          ord: place,
          depth: place,
          txn: null,
          json,
        }
      })
      await store.write('bench', function* () {
        yield* insertEvents(rows)
        yield* insertSearchDocs(rows.map((row) => indexEntry(row)))
      })
      if (from % 100_000 === 0) say(`${from.toLocaleString('en')} messages written`)
    }
    await store.write('bench', () => run('UPDATE stream_position SET pos = ?', first + count))
    await store.write('bench', () => run('UPDATE nid_allocators SET next = ? WHERE next < ?', first + count, first + count)) // prettier-ignore
    if (database !== undefined) await store.write('bench', () => run('ANALYZE search_docs'))
  } finally {
    await store.close()
  }
}

async function searches(client, user, seed, orderBy) {
  const { word } = speaker(seed)
  const times = []
  const once = async () => {
    const term = Array.from({ length: 1 + (times.length % 3) }, word).join(' ')
    const started = performance.now()
    const answer = await client.json('POST', v3('/search'), user.token, {
      search_categories: {
        room_events: {
          search_term: term,
          order_by: orderBy,
          event_context: { before_limit: 1, after_limit: 1 },
        },
      },
    })
    times.push(performance.now() - started)
    return answer.search_categories.room_events.results.length
  }
  for (let i = 0; i < 20; i++) await once()
  times.length = 0
  let results = 0
  const { cpuMs } = await spent(client, async () => {
    for (let i = 0; i < SEARCHES; i++) results += await once()
  })
  const { loopMaxMs } = await readGauges(client)
  return { ...quantiles(times), cpuMs: cpuMs / SEARCHES, results: results / SEARCHES, loopMaxMs }
}

/** Searches for words of every frequency among so many messages, by somebody in all rooms and by somebody in few. */
export async function measureSearch(start, dist, database, count, say) {
  let node = await start()
  let client = createClient(node.url, 16)
  try {
    const users = await registerUsers(client, 2, 'searcher')
    const [all, few] = users
    await each(Array.from({ length: ROOMS }), 8, async (_, index) => {
      const { room_id: roomId } = await client.json('POST', v3('/createRoom'), all.token, {
        preset: 'public_chat',
      })
      if (index % (ROOMS / FEW) === 0)
        await client.text('POST', v3(`/join/${encodeURIComponent(roomId)}`), few.token, {})
      await client.text('PUT', sendPath({ roomId }, 'template'), all.token, message('template'))
      await client.text('GET', inRoom(roomId, '/members'), all.token)
    })
    await client.close()
    await node.stop()
    await writeMessages(dist, node, database, count, say)
    node = await start(node.folder)
    client = createClient(node.url, 16)
    const results = []
    for (const [rooms, user] of [
      [ROOMS, all],
      [FEW, few],
    ]) {
      for (const orderBy of ['rank', 'recent']) {
        say(`searches in ${rooms} rooms, by ${orderBy}`)
        results.push({ messages: count, rooms, orderBy, ...(await searches(client, user, rooms, orderBy)) })
      }
    }
    return results
  } finally {
    await client.close()
    await node.stop()
    node.remove()
  }
}
