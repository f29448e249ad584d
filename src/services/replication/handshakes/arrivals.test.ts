import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { until } from '../../../platform/testing-until.js'
import { addNode, bodiesOf, createNetwork, type Network, type TestNode } from '../testing/network.js'
import { createArrivals, type KeptEvent } from './arrivals.js'

const ROOM = '!room:a.example'

describe('events of a room that is being joined', () => {
  it('are handed over when the join has succeeded, and kept no longer', async () => {
    const arrivals = createArrivals()
    const taken: KeptEvent[] = []
    arrivals.onArrived(async (kept) => void taken.push(...kept))
    expect(arrivals.keep('a.example', ROOM, { n: 0 })).toBe(false)
    await arrivals.during(ROOM, async () => {
      expect(arrivals.keep('a.example', ROOM, { n: 1 })).toBe(true)
      expect(arrivals.keep('a.example', '!other:a.example', { n: 2 })).toBe(false)
      expect(taken).toEqual([])
    })
    expect(taken).toEqual([{ origin: 'a.example', json: { n: 1 } }])
    expect(arrivals.keep('a.example', ROOM, { n: 3 })).toBe(false)
  })

  it('are dropped when the last join has failed', async () => {
    const arrivals = createArrivals()
    const taken: KeptEvent[] = []
    arrivals.onArrived(async (kept) => void taken.push(...kept))
    const failed = arrivals.during(ROOM, async () => {
      arrivals.keep('a.example', ROOM, {})
      throw new Error('refused')
    })
    await expect(failed).rejects.toThrow('refused')
    await arrivals.during(ROOM, () => Promise.resolve())
    expect(taken).toEqual([])
  })

  it('are bounded in number and in size', async () => {
    const arrivals = createArrivals()
    await arrivals.during(ROOM, async () => {
      for (let i = 0; i < 1_000; i++) expect(arrivals.keep('a.example', ROOM, {})).toBe(true)
      expect(arrivals.keep('a.example', ROOM, {})).toBe(false)
      await arrivals.during('!large:a.example', async () => {
        const large = { text: 'x'.repeat(9 * 1024 * 1024) }
        expect(arrivals.keep('a.example', '!large:a.example', large)).toBe(true)
        expect(arrivals.keep('a.example', '!large:a.example', large)).toBe(false)
      })
      // What was handed over counts no more.
      await arrivals.during('!large:a.example', async () => {
        const large = { text: 'x'.repeat(9 * 1024 * 1024) }
        expect(arrivals.keep('a.example', '!large:a.example', large)).toBe(true)
      })
    })
  })
})

describe('a server that joins', () => {
  let network: Network
  let a: TestNode
  let b: TestNode
  beforeEach(async () => {
    network = createNetwork()
    a = await addNode(network, 'a.example')
    b = await addNode(network, 'b.example')
  })
  afterEach(() => network.close())

  it('has what was said while the answer to its join was on its way', async () => {
    const roomId = await a.createRoom('@alice:a.example')
    const real = a
    network.nodes.set('a.example', {
      ...a,
      async serve(origin, request) {
        const answer = await real.serve(origin, request)
        if (request.path.includes('/send_join/')) {
          await real.send('@alice:a.example', roomId, 'welcome')
          await until(() => network.log.includes('PUT a.example→b.example /send'))
          await until(() => real.replication.sender.stats().active === 0)
        }
        return answer
      },
    })
    await b.join('@bob:b.example', roomId, 'a.example')
    await until(async () => (await bodiesOf(b, roomId)).includes('welcome'))
    expect(await b.heads(roomId)).toEqual(await a.heads(roomId))
  })
})
