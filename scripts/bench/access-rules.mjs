import { createClient, inRoom } from './client.mjs'
import { spent } from './gauges.mjs'
import { message, sendPath } from './send.mjs'
import { createRooms, each, joinMembers, memberOf, registerUsers } from './world.mjs'

/** Sends of one round, and how many are under way. Rounds of both nodes take turns: what else the machine does falls on both alike. */
const SENDS = 500
const SENDERS = 8
const TOPICS = 100

const middle = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]

async function world(node, settings) {
  const client = createClient(node.url, SENDERS)
  const users = await registerUsers(client, settings.users)
  const rooms = await createRooms(client, users, settings.rooms)
  await joinMembers(client, users, rooms, settings.members)
  return { client, users, rooms, members: settings.members }
}

/** Milliseconds of the node's processor for a message. */
async function messages({ client, users, rooms, members }) {
  const all = Array.from({ length: SENDS }, (_, index) => index)
  const { cpuMs } = await spent(client, () =>
    each(all, SENDERS, (index) => {
      const room = rooms[index % rooms.length]
      const { token } = memberOf(users, room, Math.floor(index / rooms.length) % members)
      return client.text('PUT', sendPath(room, 'a'), token, message(`a message, the ${index}th`))
    }),
  )
  return cpuMs / SENDS
}

/** The same for a state event. */
async function topics({ client, users, rooms }, round) {
  const all = Array.from({ length: TOPICS }, (_, index) => index)
  const { cpuMs } = await spent(client, () =>
    each(all, SENDERS, (index) => {
      const room = rooms[index % rooms.length]
      const topic = `the ${index}th topic of round ${round}`
      return client.text('PUT', inRoom(room.roomId, '/state/m.room.topic'), memberOf(users, room, 0).token, {
        topic,
      })
    }),
  )
  return cpuMs / TOPICS
}

/**
 * What a send costs on a node that holds rooms to access rules, beside one that does not. `start` starts a node with further sections of its
 * configuration.
 */
export async function measureAccessRules(start, settings, say) {
  const nodes = []
  const worlds = []
  try {
    for (const enforced of [false, true]) {
      const rules = {
        enforced,
        external_servers: ['partners.example'],
        last_administrator: enforced ? 'refuse' : 'allow',
      }
      nodes.push(await start({ access_rules: rules }))
      worlds.push(await world(nodes.at(-1), settings))
    }
    say('access rules: warming up')
    for (const one of worlds) for (let i = 0; i < 4; i++) await messages(one)
    const sends = [[], []]
    const states = [[], []]
    for (let round = 0; round < settings.rounds; round++) {
      say(`access rules: round ${round + 1} of ${settings.rounds}`)
      for (const which of round % 2 === 0 ? [0, 1] : [1, 0]) {
        sends[which].push(await messages(worlds[which]))
        states[which].push(await topics(worlds[which], round))
      }
    }
    // What disturbs a round only adds to it: the least is nearest to the cost itself, the middle of the pairs shows how sure that is.
    const line = ([off, on]) => ({
      offMs: Math.min(...off),
      onMs: Math.min(...on),
      middleShare: middle(on.map((cost, i) => cost / off[i])) - 1,
    })
    return { rounds: settings.rounds, sends: SENDS, message: line(sends), state: line(states) }
  } finally {
    for (const { client } of worlds) await client.close()
    for (const node of nodes) {
      await node.stop()
      node.remove()
    }
  }
}
