import { fork } from 'node:child_process'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { createClient, inRoom, v3 } from '../client.mjs'
import { spent } from '../gauges.mjs'
import { quantiles } from '../numbers.mjs'
import { message, sendPath } from '../send.mjs'
import { each, registerUsers } from '../world.mjs'
import { startForeignServer } from './foreign-server.mjs'
import { authorityOf, certificateOf, loadProgram } from './program.mjs'

const PDUS_IN_TRANSACTION = 50
const WAIT_MS = 120_000
const enc = encodeURIComponent
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Resolves when the condition holds; throws after a long time. */
async function until(what, holds, everyMs = 5) {
  const end = performance.now() + WAIT_MS
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`${what}: not after ${WAIT_MS} ms`)
    await pause(everyMs)
  }
}

async function counter(client, name) {
  const line = (await client.text('GET', '/metrics')).split('\n').find((item) => item.startsWith(`${name} `))
  return line === undefined ? 0 : Number(line.split(' ')[1])
}

const publicRoom = async (client, user, name) =>
  (await client.json('POST', v3('/createRoom'), user.token, { preset: 'public_chat', name })).room_id

/** Messages of one foreign server, one transaction after the other, until all are applied. */
async function measureInbound({ client, node, user, foreign }, rooms, pdus) {
  const joined = []
  for (let i = 0; i < rooms; i++) {
    const roomId = await publicRoom(client, user, `Inbound ${i}`)
    joined.push(await foreign.join(node, roomId, `@sender:${foreign.name}`))
  }
  const make = (count) =>
    Array.from(
      { length: count },
      (_, i) => joined[i % rooms].next('m.room.message', message(`message ${i}`)).pdu,
    )
  const send = async (list) => {
    const before = await counter(client, 'chancery_events_received_total')
    for (let i = 0; i < list.length; i += PDUS_IN_TRANSACTION) {
      await foreign.send(node, list.slice(i, i + PDUS_IN_TRANSACTION))
    }
    await until(
      'events are applied',
      async () => {
        return (await counter(client, 'chancery_events_received_total')) - before >= list.length
      },
      20,
    )
  }
  await send(make(Math.ceil(pdus / 4)))
  const list = make(pdus)
  const { ms, cpuMs } = await spent(client, () => send(list))
  return { rooms, pdus, perSecond: (pdus / ms) * 1000, cpuMsPerPdu: cpuMs / pdus }
}

/** Messages of local users in a room with other servers in it, until all of those have them. */
async function measureOutbound({ client, node, user, program, authority }, destinations, events) {
  const servers = await Promise.all(
    Array.from({ length: destinations }, () => startForeignServer(program, authority)),
  )
  try {
    const roomId = await publicRoom(client, user, 'Outbound')
    for (const server of servers) await server.join(node, roomId, `@reader:${server.name}`)
    const got = servers.map(() => 0)
    let transactions = 0
    for (const [i, server] of servers.entries()) {
      server.onPdus = (pdus) => {
        transactions++
        got[i] += pdus.filter((pdu) => pdu.type === 'm.room.message').length
      }
    }
    const send = async (count) => {
      const wanted = Math.min(...got) + count
      await each(Array.from({ length: count }), 16, () =>
        client.text('PUT', sendPath({ roomId }, 'out'), user.token, message('a message')),
      )
      await until('other servers have all', () => got.every((count) => count >= wanted))
    }
    await send(Math.ceil(events / 4))
    transactions = 0
    const { ms, cpuMs } = await spent(client, () => send(events))
    const delivered = events * destinations
    return {
      destinations,
      events,
      perSecond: (events / ms) * 1000,
      deliveredPerSecond: (delivered / ms) * 1000,
      cpuMsPerEvent: cpuMs / events,
      pdusPerTransaction: delivered / transactions,
    }
  } finally {
    await Promise.all(servers.map((server) => server.close()))
  }
}

/** From the request to send on one node until the /sync of a user on the other has it. */
async function measureLatency(first, second, count) {
  const [sender] = await registerUsers(first.client, 1, 'near')
  const [reader] = await registerUsers(second.client, 1, 'far')
  const roomId = await publicRoom(first.client, sender, 'Latency')
  await second.client.text(
    'POST',
    v3(`/join/${enc(roomId)}?via=${enc(first.node.serverName)}`),
    reader.token,
    {},
  )
  let { next_batch: since } = await second.client.json('GET', v3('/sync?timeout=0'), reader.token)
  const waits = []
  for (let i = 0; i < count; i++) {
    const body = `latency ${i}`
    const began = performance.now()
    const sent = first.client.text('PUT', sendPath({ roomId }, 'l'), sender.token, message(body))
    for (let there = false; !there;) {
      const answer = await second.client.json('GET', v3(`/sync?timeout=10000&since=${since}`), reader.token)
      since = answer.next_batch
      const events = answer.rooms?.join?.[roomId]?.timeline?.events ?? []
      there = events.some((event) => event.content?.body === body)
    }
    if (i >= count / 4) waits.push(performance.now() - began)
    await sent
    await pause(10)
  }
  return { messages: waits.length, ...quantiles(waits) }
}

/** A join of a room whose state rests on many events, all of them verified. */
async function measureBigJoin({ client, program, authority }, members, changes) {
  const [user] = await registerUsers(client, 1, 'joiner')
  const servers = await Promise.all(Array.from({ length: 5 }, () => startForeignServer(program, authority)))
  try {
    const room = program.bigRoom(
      servers.map(({ signer }) => signer),
      members,
      changes,
      'big',
    )
    const text = (events) => events.map(({ pdu }) => JSON.stringify(pdu))
    const [state, chain] = [text(room.state), text(room.authChain)]
    servers[0].answer = (_message, response, path) => {
      if (path.includes('/make_join/')) {
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end(JSON.stringify(room.template(user.userId)))
      } else if (path.includes('/v2/send_join/')) {
        response.writeHead(200, { 'content-type': 'application/json' })
        Readable.from(
          (function* () {
            yield `{"origin":"${servers[0].name}","members_omitted":false,"state":[`
            for (const [i, one] of state.entries()) yield (i > 0 ? ',' : '') + one
            yield '],"auth_chain":['
            for (const [i, one] of chain.entries()) yield (i > 0 ? ',' : '') + one
            yield ']}'
          })(),
        ).pipe(response)
      } else return false
      return true
    }
    const { ms, cpuMs, loopMaxMs } = await spent(client, () =>
      client.text('POST', v3(`/join/${enc(room.roomId)}?via=${enc(servers[0].name)}`), user.token, {}),
    )
    await client.text('GET', inRoom(room.roomId, '/joined_members'), user.token)
    return { members, events: state.length + chain.length, ms, cpuMs, loopMaxMs }
  } finally {
    await Promise.all(servers.map((server) => server.close()))
  }
}

/** In a process of its own, which has nothing else to do. */
export function measureResolution(dist, events) {
  return new Promise((resolve, reject) => {
    const program = fileURLToPath(new URL('./resolution-process.mjs', import.meta.url))
    const child = fork(program, [dist, String(events)], { execArgv: [] })
    child.once('message', resolve)
    child.once('exit', (code) => reject(new Error(`the process that resolves states ended with ${code}`)))
  })
}

/** `start` starts a node that federates; `settings` are the counts of `--federation`. */
export async function measureFederation(start, dist, settings, say) {
  const program = await loadProgram(dist)
  const authority = authorityOf(program)
  const nodes = []
  const clients = []
  let foreign
  const another = async () => {
    const node = await start({ certificate: certificateOf(program, authority), authority })
    nodes.push(node)
    const client = createClient(node.url, 64)
    clients.push(client)
    return { node, client }
  }
  try {
    const first = await another()
    foreign = await startForeignServer(program, authority)
    const [user] = await registerUsers(first.client, 1, 'local')
    const world = { ...first, user, foreign, program, authority }
    const asked = (part) => settings.parts.includes(part)
    const inbound = []
    for (const rooms of asked('inbound') ? settings.rooms : []) {
      say(`events of another server in ${rooms} rooms`)
      inbound.push(await measureInbound(world, rooms, settings.pdus))
    }
    const outbound = []
    for (const destinations of asked('outbound') ? settings.destinations : []) {
      say(`events to ${destinations} servers`)
      outbound.push(
        await measureOutbound(world, destinations, Math.round(settings.pdus / Math.sqrt(destinations))),
      )
    }
    const result = { inbound, outbound }
    if (asked('latency')) {
      say('messages between two nodes')
      result.latency = await measureLatency(first, await another(), settings.messages)
    }
    if (asked('resolution')) {
      say('state resolution')
      result.resolution = await measureResolution(dist, settings.conflict)
    }
    if (asked('join')) {
      say('a large room')
      result.join = await measureBigJoin({ ...(await another()), program, authority }, ...settings.bigJoin)
    }
    return result
  } finally {
    await foreign?.close()
    for (const client of clients) await client.close()
    for (const node of nodes) {
      await node.stop()
      node.remove()
    }
  }
}
