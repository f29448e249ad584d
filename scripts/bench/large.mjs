import { createClient, inRoom, v3 } from './client.mjs'
import { readGauges, spent } from './gauges.mjs'
import { quantiles } from './numbers.mjs'
import { message, sendPath } from './send.mjs'
import { each, registerUsers, userWithRooms } from './world.mjs'

/** A quiet second is one in which the node has nothing left of the polls' beginnings to do. */
const QUIET_MS = 1_000
/** What is idle is not what was busy a moment ago: the collector of a quiet process runs after eight seconds. */
const IDLE_MS = 20_000
const SYNCS = 100
const MESSAGES = 200
const POLL_MS = 300_000

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const syncPath = (since, timeout = 0) =>
  v3(`/sync?timeout=${timeout}${since === undefined ? '' : `&since=${encodeURIComponent(since)}`}`)

/** Somebody in many rooms, one of which has a new message: what one answer of /sync costs. */
export async function measureIncrementalSync(client, count) {
  const user = await userWithRooms(client, count, 'reader')
  const { rooms: before, next_batch: since } = await client.json('GET', syncPath(), user.token)
  const rooms = Object.keys(before.join)
  const room = { roomId: rooms[Math.floor(rooms.length / 2)] }
  await client.text('PUT', sendPath(room, 'news'), user.token, message('news'))
  const waits = []
  let found = 0
  const once = async () => {
    const started = performance.now()
    const answer = await client.json('GET', syncPath(since), user.token)
    waits.push(performance.now() - started)
    found = Object.keys(answer.rooms.join ?? {}).length
  }
  for (let i = 0; i < SYNCS; i++) await once()
  waits.length = 0
  const { cpuMs } = await spent(client, async () => {
    for (let i = 0; i < SYNCS; i++) await once()
  })
  return { rooms: rooms.length, roomsWithNews: found, ...quantiles(waits), cpuMsPerSync: cpuMs / SYNCS }
}

/** Messages in one large room of local members, every tenth of whom has push rules of their own. */
export async function measureLargeRoom(client, users) {
  const [owner] = users
  const { room_id: roomId } = await client.json('POST', v3('/createRoom'), owner.token, {
    preset: 'public_chat',
    name: 'Large',
  })
  await each(users.slice(1), 8, ({ token }) =>
    client.text('POST', v3(`/join/${encodeURIComponent(roomId)}`), token, {}),
  )
  const choosy = users.filter((_, index) => index % 10 === 9)
  await each(choosy, 8, ({ token }, index) =>
    client.text('PUT', v3('/pushrules/global/content/bench'), token, {
      pattern: `word${index}`,
      actions: ['notify', { set_tweak: 'highlight' }],
    }),
  )
  const room = { roomId }
  const send = (count) =>
    each(Array.from({ length: count }), 4, (_, index) =>
      client.text('PUT', sendPath(room, 'large'), users[index % 50].token, message(`message ${index}`)),
    )
  await send(MESSAGES)
  const { cpuMs, loopMaxMs } = await spent(client, () => send(MESSAGES))
  await client.text('GET', inRoom(roomId, '/joined_members'), owner.token)
  return {
    members: users.length,
    ownRules: choosy.length,
    cpuMsPerMessage: cpuMs / MESSAGES,
    loopMaxMs,
  }
}

/** Long polls that wait and hear nothing, each of another user on a connection of its own. */
export async function measureIdlePolls(url, client, users) {
  const polls = createClient(url, users.length)
  const tokens = new Map()
  try {
    await each(users, 8, async (user) => {
      const answer = await client.json('GET', syncPath(), user.token)
      tokens.set(user, answer.next_batch)
    })
    const before = await readGauges(client)
    let ended = 0
    for (const user of users) {
      polls
        .text('GET', syncPath(tokens.get(user), POLL_MS), user.token)
        .catch(() => undefined)
        .finally(() => ended++)
    }
    // Each first computes, then waits.
    for (let quiet = 0, last = 0; quiet < 3;) {
      await pause(QUIET_MS)
      const { cpuMs } = await readGauges(client)
      quiet = cpuMs - last < 150 ? quiet + 1 : 0
      last = cpuMs
    }
    const { cpuMs, ...idle } = await spent(client, () => pause(IDLE_MS))
    const after = await readGauges(client)
    return {
      polls: users.length - ended,
      rssBeforeBytes: before.rssBytes,
      rssBytes: after.rssBytes,
      cpuShare: cpuMs / idle.ms,
    }
  } finally {
    await polls.close()
  }
}

/** The measurements of a large node; `large` says how large. */
export async function measureLarge(url, client, large, say) {
  say(`${large.polls} users`)
  const users = await registerUsers(client, large.polls, 'many')
  say('idle long polls')
  const idle = await measureIdlePolls(url, client, users)
  say(`a room of ${large.members} members`)
  const room = await measureLargeRoom(client, users.slice(0, large.members))
  say(`${large.syncRooms} rooms of one user`)
  const incremental = await measureIncrementalSync(client, large.syncRooms)
  return { incremental, idle, room }
}
