import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  createRoom,
  enc,
  eventually,
  register,
  sendText,
  startSync,
  v3,
  type User,
} from '../harness/client.js'
import { untilPasses } from '../../src/platform/testing-until.js'
import { startAppservice, type TestAppservice } from '../../src/services/appservices/testing-appservice.js'
import { startNode, testAuthority, type Node } from '../harness/node.js'

let bridge: TestAppservice
let finances: Node
let interieur: Node
let alice: User
let benoit: User
let roomId: string

beforeAll(async () => {
  const authority = testAuthority()
  bridge = await startAppservice()
  finances = await startNode({
    authority,
    appservices: [
      {
        id: 'bridge',
        url: bridge.url,
        as_token: 'as-token',
        hs_token: 'hs-token',
        sender_localpart: 'bridgebot',
        namespaces: { users: [{ exclusive: false, regex: '@.*' }], aliases: [], rooms: [] },
      },
    ],
  })
  interieur = await startNode({ authority })
  alice = await register(finances.url, 'alice')
  benoit = await register(interieur.url, 'benoit')
  roomId = await createRoom(alice, { invite: [benoit.userId] })
  await benoit.ok('POST', v3(`/join/${enc(roomId)}`), {}, { via: finances.serverName })
})
afterAll(async () => {
  await finances?.dispose()
  await interieur?.dispose()
  await bridge?.close()
})

interface Metric {
  readonly type: string
  /** Every sample: a counter or gauge by its labels, a histogram's counts. */
  readonly values: readonly number[]
}

async function scrape(node: Node): Promise<ReadonlyMap<string, Metric>> {
  const text = await (await fetch(`${node.url}/metrics`)).text()
  const found = new Map<string, { type: string; values: number[] }>()
  for (const line of text.split('\n')) {
    const declared = /^# TYPE (\S+) (\S+)$/.exec(line)
    if (declared !== null) found.set(declared[1]!, { type: declared[2]!, values: [] })
    const sample = /^([a-z0-9_]+)(?:\{.*\})? (\S+)$/.exec(line)
    if (sample === null) continue
    const name = sample[1]!
    const metric = found.get(name) ?? found.get(name.replace(/_count$/, ''))
    metric?.values.push(Number(sample[2]))
  }
  return found
}

const sum = (metrics: ReadonlyMap<string, Metric>, name: string): number =>
  (metrics.get(`chancery_${name}`)?.values ?? []).reduce((total, value) => total + value, 0)

describe('the metrics of a node', () => {
  it('are all fed after a little traffic: none is declared and left at nothing', async () => {
    const sync = await startSync(alice)
    const said = await sendText(benoit, roomId, 'from the other node')
    await eventually('Alice sees it', async () => {
      const answer = await alice.call('GET', v3(`/rooms/${enc(roomId)}/event/${enc(said)}`))
      return answer.status === 200 ? true : undefined
    })
    await sendText(alice, roomId, 'an answer')
    await alice.ok('PUT', v3(`/rooms/${enc(roomId)}/typing/${enc(alice.userId)}`), {
      typing: true,
      timeout: 5_000,
    })
    await sync.until('the answer', (answer) => answer.rooms.join?.[roomId])
    const oursIn = (metrics: ReadonlyMap<string, Metric>): [string, Metric][] =>
      [...metrics].filter(([name]) => name.startsWith('chancery_'))
    const metrics = await untilPasses(async () => {
      const now = await scrape(finances)
      const idle = oursIn(now)
        .filter(([, metric]) => metric.type !== 'gauge' && !metric.values.some((value) => value > 0))
        .map(([name]) => name)
      expect(idle).toEqual([])
      expect(sum(now, 'federation_delivered_total')).toBeGreaterThan(1)
      expect(sum(now, 'events_received_total')).toBeGreaterThanOrEqual(2)
      return now
    })
    const ours = oursIn(metrics)
    expect(ours.length).toBeGreaterThan(12)
    // A gauge may be 0, but it must have been read.
    const unread = ours.filter(([, { values }]) => values.length === 0 || values.some(Number.isNaN))
    expect(unread).toEqual([])
    for (const name of ['nodejs_eventloop_lag_p99_seconds', 'process_resident_memory_bytes'])
      expect(metrics.get(name)?.values.length).toBe(1)
  })

  it('count what waits for a server that is away, and that it fails', async () => {
    await interieur.stop()
    await sendText(alice, roomId, 'while you were away')
    await untilPasses(async () => {
      const now = await scrape(finances)
      const seen = ['outbox_pdus', 'destinations_failing', 'destinations_active'].map((name) =>
        sum(now, name),
      )
      expect(seen).toEqual([1, 1, 1])
    })
    await interieur.start()
    await eventually('the queue is empty', async () =>
      sum(await scrape(finances), 'outbox_pdus') === 0 ? true : undefined,
    )
  })
})
