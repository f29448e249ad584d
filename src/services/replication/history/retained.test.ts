import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { RetentionPolicy } from '../../../core/retention.js'
import { until } from '../../../platform/testing-until.js'
import { addLocalEvent } from '../../rooms/add-local-event.js'
import { addNode, bodiesOf, createNetwork, type Network, type TestNode } from '../testing/network.js'

const ALICE = '@alice:a.example'
const BOB = '@bob:b.example'
const DAY = 86_400_000
const lifetimes = { least: 0, most: 30 * DAY, usual: undefined }
const POLICY: RetentionPolicy = {
  setAtCreation: false,
  lifetimes: { public: lifetimes, private: lifetimes, direct: lifetimes },
}

let network: Network
/** Keeps everything. */
let a: TestNode
/** Keeps what is said for 30 days. */
let b: TestNode
beforeEach(async () => {
  network = createNetwork()
  a = await addNode(network, 'a.example')
  b = await addNode(network, 'b.example', { retention: POLICY })
})
afterEach(() => network.close())

/** A message of before. */
async function sendOld(node: TestNode, user: string, roomId: string, body: string): Promise<string> {
  let id = ''
  await node.context.writer.write(roomId, async (room) => {
    const draft = {
      type: 'm.room.message',
      sender: user,
      stateKey: undefined,
      content: { body },
      originServerTs: Date.now() - 40 * DAY,
    }
    id = (await addLocalEvent(room, draft as never, node.context.local)).event.id
  })
  return id
}

describe('what is too old for a node', () => {
  it('does not come back with the history that another server hands over', async () => {
    const roomId = await a.createRoom(ALICE)
    const old = await sendOld(a, ALICE, roomId, 'too old')
    await a.send(ALICE, roomId, 'of today')
    await b.join(BOB, roomId, 'a.example')
    while (await b.replication.backfill.backfill(roomId, Number.MAX_SAFE_INTEGER, 50));
    const known = await b.context.events.byId(old)
    expect(known?.outlier).toBe(false)
    expect(known?.event.content).toEqual({})
    expect(await bodiesOf(b, roomId)).not.toContain('too old')
  })

  it('is given to other servers without what it says', async () => {
    const roomId = await b.createRoom(BOB)
    await a.join(ALICE, roomId, 'b.example')
    const old = await sendOld(b, BOB, roomId, 'too old')
    const fresh = await b.send(BOB, roomId, 'of today')
    await until(async () => (await bodiesOf(a, roomId)).includes('of today'))
    const ask = async (path: string, query = {}): Promise<string> =>
      b.serve('a.example', { method: 'GET', destination: 'b.example', path, query } as never)
    const event = await ask(`/_matrix/federation/v1/event/${encodeURIComponent(old)}`)
    expect(event).not.toContain('too old')
    expect(event).toContain('prev_events')
    const path = `/_matrix/federation/v1/backfill/${encodeURIComponent(roomId)}`
    const page = await ask(path, { v: [fresh], limit: 10 })
    expect(page).toContain('of today')
    expect(page).not.toContain('too old')
  })

  it('stays where a hold says so, for what comes late too', async () => {
    const c = await addNode(network, 'c.example', { retention: POLICY, isHeld: () => true })
    const roomId = await a.createRoom(ALICE)
    const old = await sendOld(a, ALICE, roomId, 'evidence')
    await a.send(ALICE, roomId, 'of today')
    await c.join('@carol:c.example', roomId, 'a.example')
    while (await c.replication.backfill.backfill(roomId, Number.MAX_SAFE_INTEGER, 50));
    expect((await c.context.events.byId(old))?.event.content).toEqual({ body: 'evidence' })
  })
})
