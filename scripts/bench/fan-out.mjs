import { createClient, v3 } from './client.mjs'
import { spent } from './gauges.mjs'
import { quantiles } from './numbers.mjs'
import { message, sendPath } from './send.mjs'
import { memberOf } from './world.mjs'

const MESSAGES_PER_SECOND = 20
const FILTER = encodeURIComponent(JSON.stringify({ room: { timeline: { limit: 50 } } }))
const syncPath = (since, timeout) =>
  v3(`/sync?filter=${FILTER}&timeout=${timeout}${since === undefined ? '' : `&since=${since}`}`)

/**
 * All members of one room long-poll while one of them sends, 20 messages a second. The latency is from the moment when the
 * request to send begins until a member's answer of /sync with the message has been read.
 */
export async function measureFanOut(url, client, world, seconds) {
  const room = world.rooms[0]
  const readers = Array.from({ length: world.members }, (_, place) => memberOf(world.users, room, place))
  const polls = createClient(url, readers.length)
  const sentAt = new Map()
  const seen = []
  const total = Math.max(1, seconds * MESSAGES_PER_SECOND)
  let left = total * readers.length
  let stopped = false

  async function poll({ token }, since) {
    let position = since
    while (!stopped && left > 0) {
      const answer = await polls.json('GET', syncPath(position, 1_000), token)
      const now = performance.now()
      position = answer.next_batch
      for (const event of answer.rooms?.join?.[room.roomId]?.timeline?.events ?? []) {
        const began = sentAt.get(event.content?.body)
        if (began === undefined) continue
        seen.push(now - began)
        left--
      }
    }
  }

  try {
    const tokens = await Promise.all(
      readers.map(async ({ token }) => (await polls.json('GET', syncPath(undefined, 0), token)).next_batch),
    )
    const { result, ...node } = await spent(client, async () => {
      const polling = Promise.all(readers.map((reader, index) => poll(reader, tokens[index])))
      const answers = []
      for (let count = 0; count < total; count++) {
        const body = `fan-out ${count}`
        sentAt.set(body, performance.now())
        answers.push(client.text('PUT', sendPath(room, 'f'), readers[0].token, message(body)))
        await new Promise((resolve) => setTimeout(resolve, 1000 / MESSAGES_PER_SECOND))
      }
      await Promise.all(answers)
      // A message that some member does not get shows as missing; nobody waits for it for ever.
      const late = setTimeout(() => (stopped = true), 5_000)
      await polling
      clearTimeout(late)
      return quantiles(seen)
    })
    return {
      readers: readers.length,
      messages: total,
      missing: left,
      ...result,
      cpuMsPerMessage: node.cpuMs / total,
      loopP99Ms: node.loopP99Ms,
      loopMaxMs: node.loopMaxMs,
    }
  } finally {
    await polls.close()
  }
}
