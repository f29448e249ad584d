import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { bigRoom, type BigRoom } from '../../src/services/replication/testing/big-room.js'
import { createRoom, register, sendText, v3, type User } from '../harness/client.js'
import { startNode, testAuthority, type Node } from '../harness/node.js'
import { answerJson, startForeignServer, type ForeignServer } from '../harness/foreign-server.js'
import { pause } from './load.js'
import { longestBlock, metric, waitedForCore } from './metrics.js'

/** CI joins a room of 10,000 members whose state rests on 40,000 further events: `CHANCERY_BIG_JOIN=10000x4`. */
const [MEMBERS = 1_000, CHANGES = 1] = (process.env['CHANCERY_BIG_JOIN'] ?? '1000x1').split('x').map(Number)
/** The promises, of a machine that has two cores for this file alone; among other tests they are looser, and of the processor's time. */
const ALONE = process.env['CHANCERY_BIG_JOIN'] !== undefined
const MAX_MS = ALONE ? 15_000 : 120_000
const MAX_BLOCK = ALONE ? 100 : 200
const MAX_GROWTH = 300
/** Others are served meanwhile, with a disk sync each. */
const MAX_SEND = ALONE ? 1_000 : 10_000
const SERVERS = 5
/** A machine that others use stops a process for longer than a promise: a join is tried on a fresh room until one keeps them. */
const TRIES = ALONE ? 3 : 2
const enc = encodeURIComponent

let node: Node
let foreign: ForeignServer[]
let room: BigRoom
let user: User
let other: User
let quiet: string

beforeAll(async () => {
  const authority = testAuthority()
  foreign = await Promise.all(Array.from({ length: SERVERS }, () => startForeignServer(authority)))
  node = await startNode({
    authority,
    ...(process.env['CHANCERY_PROFILE'] && {
      nodeArguments: ['--cpu-prof', `--cpu-prof-dir=${process.env['CHANCERY_PROFILE']}`],
    }),
  })
  user = await register(node.url, 'joiner')
  other = await register(node.url, 'other')
  quiet = await createRoom(other, {})
})
afterAll(async () => {
  await node?.dispose()
  await Promise.all((foreign ?? []).map((server) => server.close()))
})

/** Makes a room and has the first of the servers hand it over, the answer as a stream of pieces. */
function offerRoom(name: string): void {
  room = bigRoom(
    foreign.map(({ signer }) => signer),
    MEMBERS,
    CHANGES,
    name,
  )
  const text = (events: readonly { pdu: object }[]): string[] => events.map(({ pdu }) => JSON.stringify(pdu))
  const [state, chain] = [text(room.state), text(room.authChain)]
  foreign[0]!.answer = (_request, response, path) => {
    if (path.includes('/make_join/')) answerJson(response, room.template(user.userId))
    else if (path.includes('/v2/send_join/')) {
      response.writeHead(200, { 'content-type': 'application/json' })
      Readable.from(
        (function* () {
          yield `{"origin":"${foreign[0]!.name}","members_omitted":false,"state":[`
          for (const [i, one] of state.entries()) yield (i > 0 ? ',' : '') + one
          yield '],"auth_chain":['
          for (const [i, one] of chain.entries()) yield (i > 0 ? ',' : '') + one
          yield ']}'
        })(),
      ).pipe(response)
    } else return false
    return true
  }
}

interface Measured {
  readonly ms: number
  readonly cpuMs: number
  /** The longest turn of the event loop, in milliseconds, less what the node waited for a core meanwhile. */
  readonly block: number
  /** In all, in milliseconds. */
  readonly waited: number
  /** MiB at most, beyond what it was. */
  readonly growth: number
  /** The slowest of the sends of another user meanwhile, in milliseconds. */
  readonly slowest: number
}

async function measuredJoin(): Promise<Measured> {
  const before = await metric(node, 'process_resident_memory_bytes')
  const cpu = await metric(node, 'process_cpu_seconds_total')
  let highest = before
  let slowest = 0
  let done = false
  await longestBlock(node)
  let block = 0
  const waitedBefore = waitedForCore(node)
  const began = performance.now()
  const watching = (async () => {
    let waited = waitedBefore
    while (!done) {
      const at = performance.now()
      await sendText(other, quiet, 'meanwhile')
      slowest = Math.max(slowest, performance.now() - at)
      const longest = await longestBlock(node)
      block = Math.max(block, longest - (waitedForCore(node) - waited))
      waited = waitedForCore(node)
      highest = Math.max(highest, await metric(node, 'process_resident_memory_bytes'))
      await pause(50)
    }
  })()
  try {
    await user.ok('POST', v3(`/join/${enc(room.roomId)}`), {}, { via: foreign[0]!.name })
  } finally {
    done = true
    await watching
  }
  const ms = performance.now() - began
  const cpuMs = 1_000 * ((await metric(node, 'process_cpu_seconds_total')) - cpu)
  const waited = waitedForCore(node) - waitedBefore
  return { ms, cpuMs, block, waited, growth: (highest - before) / 2 ** 20, slowest }
}

describe(`joining a room of ${MEMBERS} members and ${(MEMBERS + 4) * (CHANGES + 1)} events through a server over TLS`, () => {
  it('keeps its promises of time, of memory and of turns of the event loop', async () => {
    let last: Measured | undefined
    for (let tried = 0; tried < TRIES; tried++) {
      if (tried > 0) {
        await node.stop()
        await node.start()
      }
      offerRoom(`big${tried}`)
      last = await measuredJoin()
      const words = Object.entries(last).map(([name, value]) => `${name} ${Math.round(value as number)}`)
      process.stderr.write(`join of ${MEMBERS}x${CHANGES}: ${words.join(', ')}\n`)
      const { ms, block, growth, slowest } = last
      if (ms < MAX_MS && block < MAX_BLOCK && growth < MAX_GROWTH && slowest < MAX_SEND) break
    }
    expect(last!.ms).toBeLessThan(MAX_MS)
    expect(last!.block).toBeLessThan(MAX_BLOCK)
    expect(last!.growth).toBeLessThan(MAX_GROWTH)
    expect(last!.slowest).toBeLessThan(MAX_SEND)
  }, 300_000)

  it('is whole: every member is there', async () => {
    const members = await user.ok('GET', v3(`/rooms/${enc(room.roomId)}/joined_members`))
    expect(Object.keys(members.joined)).toHaveLength(MEMBERS + 2)
    const name = await user.ok(
      'GET',
      v3(`/rooms/${enc(room.roomId)}/state/m.room.member/${enc(room.state.at(-1)!.stateKey!)}`),
    )
    expect(name.displayname).toBe(`Member ${MEMBERS - 1}, name ${CHANGES}`)
  })
})
