import type { IncomingMessage } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { startCircle, type Circle } from '../harness/circle.js'
import { createRoom, eventually, register, v3, type User } from '../harness/client.js'
import { answerJson, startForeignServer, type ForeignServer } from '../harness/foreign-server.js'

const ALIVE = 13
const DEAD = 3
const ROOMS = 100
/** How long the node waits for others, as an operator has it who changes nothing. Milliseconds. */
const WAIT = 200

let circle: Circle<'finances'>
const foreign: ForeignServer[] = []
let user: User
/** What each of the others was asked: those that are dead take it and never answer. */
const asked = new Map<string, number>()

const room = (server: string, n: number): object => ({
  room_id: `!r${n}:${server}`,
  name: `Room ${n}`,
  num_joined_members: n,
  world_readable: false,
  guest_can_join: false,
})
const person = (server: string): object => ({ user_id: `@jean:${server}`, display_name: 'Jean Dupont' })

function answersOf(server: ForeignServer, isAlive: boolean): void {
  server.answer = (_request: IncomingMessage, response, path) => {
    asked.set(server.name, (asked.get(server.name) ?? 0) + 1)
    if (!isAlive) return true
    if (path.endsWith('/publicRooms'))
      answerJson(response, { chunk: Array.from({ length: ROOMS }, (_, n) => room(server.name, n)) })
    else answerJson(response, { results: [person(server.name)], limited: false })
    return true
  }
}

beforeAll(async () => {
  circle = await startCircle(
    { finances: {} },
    { directory: { people: 'circle', rooms: 'circle' } },
    async (authority) => {
      for (let i = 0; i < ALIVE + DEAD; i++) {
        const server = await startForeignServer(authority)
        answersOf(server, i < ALIVE)
        foreign.push(server)
      }
      return foreign.map(({ name, port }) => ({
        server_name: name,
        label: name,
        role: 'agents',
        addresses: [{ host: 'localhost', port }],
      }))
    },
  )
  user = await register(circle.nodes.finances.url, 'alice')
  await createRoom(user, { preset: 'public_chat', visibility: 'public', name: 'Our own' })
})
afterAll(async () => {
  await circle?.close()
  for (const server of foreign) await server.close()
})

const rooms = () => user.ok('POST', v3('/publicRooms'), { limit: 100 })
const find = (search_term: string) =>
  user.ok('POST', v3('/user_directory/search'), { search_term, limit: 50 })
async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

/** What the node's processor has done so far, in milliseconds. */
async function cpu(): Promise<number> {
  const text = await (await fetch(`${circle.nodes.finances.url}/metrics`)).text()
  return Number(/^process_cpu_seconds_total ([\d.]+)/m.exec(text)![1]) * 1_000
}
async function spent(work: () => Promise<unknown>): Promise<string> {
  const before = await cpu()
  await work()
  return ((await cpu()) - before).toFixed(0)
}

describe('a circle of 17 nodes of which three take questions and never answer', () => {
  it('shows the rooms of all others, and goes on without the dead', async () => {
    const times: number[] = []
    const first = await spent(async () => times.push(await timed(rooms)))
    await eventually('all lists are there', async () => {
      const { total_room_count_estimate: total } = await rooms()
      return total === ALIVE * ROOMS + 1 ? true : undefined
    })
    const later = await spent(async () => {
      for (let i = 0; i < 10; i++) times.push(await timed(rooms))
    })
    // For whoever reads the log: what it took depends on what else the machine does.
    process.stderr.write(
      `public rooms of 17 nodes, first and later: ${times.map(Math.round).join(', ')} ms; CPU of the first ${first} ms, of ten later ones ${later} ms\n`,
    )
    const ids = new Set<unknown>()
    for (let since: string | undefined = ''; since !== undefined;) {
      const page = await user.ok('POST', v3('/publicRooms'), { limit: 100, since })
      for (const entry of page['chunk'] as { room_id: string }[]) ids.add(entry.room_id)
      since = page['next_batch'] as string | undefined
    }
    expect(ids.size).toBe(ALIVE * ROOMS + 1)
  })

  it('finds the people of all others, and asks each of the dead no more than it must', async () => {
    const times = [await timed(() => find('jean'))]
    await eventually('all have answered', async () => {
      const { results } = await find('jean')
      return (results as object[]).length === ALIVE ? true : undefined
    })
    for (const term of ['dupo', 'dupon', 'dupont']) times.push(await timed(() => find(term)))
    process.stderr.write(
      `people of 17 nodes, first and later: ${times.map(Math.round).join(', ')} ms, waiting ${WAIT} at most\n`,
    )
    for (const { name } of foreign.slice(ALIVE)) expect(asked.get(name)).toBeGreaterThan(0)
  })
})
