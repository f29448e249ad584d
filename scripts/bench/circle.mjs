import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openAdministration } from '../demo/node-list.mjs'
import { createClient, v3 } from './client.mjs'
import { startForeignServer } from './federation/foreign-server.mjs'
import { authorityOf, certificateOf, loadProgram } from './federation/program.mjs'
import { readGauges, spent } from './gauges.mjs'
import { quantiles } from './numbers.mjs'
import { registerUsers } from './world.mjs'

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const PEOPLE = '/user_directory/search'
const PAGE = 100

const answerJson = (response, body) =>
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))

const roomOf = (server, n) => ({
  room_id: `!r${n}:${server}`,
  name: `Room ${n} of ${server}`,
  num_joined_members: n,
  world_readable: false,
  guest_can_join: false,
})

/** Members that answer after `delayMs`, as from another town, and some that take questions and never answer. */
function answering(server, { isDead, rooms, delayMs }) {
  server.answer = (message, response, path) => {
    message.resume()
    if (isDead) return true
    const body = path.endsWith(PEOPLE)
      ? { results: [{ user_id: `@jean:${server.name}`, display_name: 'Jean Dupont' }], limited: false }
      : { chunk: Array.from({ length: rooms }, (_, n) => roomOf(server.name, n)) }
    setTimeout(() => answerJson(response, body), delayMs)
    return true
  }
}

async function timed(client, work, count, betweenMs = 0) {
  const times = []
  const { cpuMs } = await spent(client, async () => {
    for (let n = 0; n < count; n++) {
      const started = performance.now()
      await work(n)
      times.push(performance.now() - started)
      if (betweenMs > 0) await pause(betweenMs)
    }
  })
  return { first: times[0], longest: Math.max(...times), ...quantiles(times), cpuMs: cpuMs / count }
}

/** The directories of a circle of `nodes` members of which `dead` never answer, as one of them shows them to its people. */
export async function measureCircle(start, dist, { nodes, dead, rooms, delayMs, rounds }, say) {
  const program = await loadProgram(dist)
  const authority = authorityOf(program)
  const folder = mkdtempSync(join(tmpdir(), 'chancery-circle-'))
  const servers = []
  let node
  let client
  try {
    const administration = await openAdministration(folder)
    for (let n = 0; n < nodes - 1; n++) {
      const server = await startForeignServer(program, authority)
      answering(server, { isDead: n < dead, rooms, delayMs })
      servers.push(server)
    }
    node = await start(
      { certificate: certificateOf(program, authority), authority },
      { node_list: administration.nodeList, directory: { people: 'circle', rooms: 'circle' } },
    )
    const member = (serverName) => ({
      server_name: serverName,
      label: serverName,
      role: 'agents',
      addresses: [{ host: 'localhost', port: Number(serverName.split(':')[1]) }],
    })
    administration.publish([node.serverName, ...servers.map(({ name }) => name)].map(member), 1)
    client = createClient(node.url, 16)
    while (!(await client.text('GET', '/metrics')).includes('chancery_node_list_sequence 1\n')) await pause(100)
    const [user] = await registerUsers(client, 1, 'looker')
    const alive = nodes - 1 - dead

    say('rooms of all')
    const list = () => client.json('POST', v3('/publicRooms'), user.token, { limit: PAGE })
    const firstRooms = await timed(client, list, 1)
    while ((await list()).total_room_count_estimate < alive * rooms) await pause(50)
    const laterRooms = await timed(client, list, rounds, 50)

    say('people of all')
    // Another word each time, so that each search asks all members.
    const words = Array.from({ length: rounds }, (_, n) => `jean${n}`)
    const find = (word) =>
      client.json('POST', v3(PEOPLE), user.token, { search_term: word, limit: 50 })
    const firstPeople = await timed(client, () => find('jean'), 1)
    let found = 0
    for (const end = performance.now() + 60_000; found < alive && performance.now() < end; ) {
      found = (await find('jean')).results.length
      if (found < alive) await pause(200)
    }
    const laterPeople = await timed(client, (n) => find(words[n]), rounds, 50)
    const { loopMaxMs } = await readGauges(client)
    return { nodes, dead, rooms: alive * rooms, found, firstRooms, laterRooms, firstPeople, laterPeople, loopMaxMs }
  } finally {
    await client?.close()
    await node?.stop()
    node?.remove()
    for (const server of servers) await server.close()
    rmSync(folder, { recursive: true, force: true })
  }
} // prettier-ignore
