import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { enqueueEdus, enqueuePdus } from '../../../storage/tables/outbox.js'
import { insertStickyEvents } from '../../../storage/tables/sticky-events.js'
import { openTestStore } from '../../../storage/testing.js'
import { all, many, run, type Store } from '../../../storage/tx.js'
import { systemClock } from '../../../platform/clock.js'
import { silentLogger } from '../../../platform/logger.js'
import { systemRandom } from '../../../platform/random.js'
import type { JsonObject } from '../../../core/json/value.js'
import { bodyText, FederationError } from '../../federation/client.js'
import { until } from '../../../platform/testing-until.js'
import { skipToLatest } from './catch-up.js'
import { createSender } from './sender.js'

let store: Store
beforeEach(async () => {
  store = await openTestStore()
})
afterEach(() => store.close())

/** A room with events of these nids, the given ones its heads, all of which wait for b.example. */
const room = (nid: number, events: readonly number[], heads: readonly number[]): Promise<void> =>
  store.write('test', function* () {
    yield* run(
      `INSERT INTO rooms (nid, room_id, version, rev, state_root, heads, last_pos, published) VALUES (?, ?, '11', 1, NULL, ?, 0, 0)`,
      nid,
      `!r${nid}:a.example`,
      JSON.stringify(heads),
    )
    yield* many(
      `INSERT INTO events (nid, event_id, room_nid, type, sender, depth, ts, outlier, soft_failed, auth, json)
       VALUES (?, ?, ?, 'm.room.message', '@a:a.example', 1, 0, 0, 0, '[]', ?)`,
      events.map((event) => [event, `$${event}`, nid, JSON.stringify({ n: event })]),
    )
    yield* enqueuePdus(events.map((event) => ['b.example', event] as const))
  })
const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i)
const waiting = async (): Promise<number[]> =>
  (
    await store.read('test', () =>
      all<{ event_nid: number }>('SELECT event_nid FROM outbox_pdus ORDER BY event_nid'),
    )
  ).map((row) => row.event_nid)
const device = (n: number, eduType = 'm.direct_to_device') => ({
  destination: 'b.example',
  eduType,
  content: JSON.stringify({ n }),
  coalesceKey: null,
})

describe('catching up', () => {
  it('leaves of a crowded room its heads and its newest event, and other rooms whole', async () => {
    await room(1, range(1, 40), [39, 12])
    await room(2, range(41, 50), [50])
    const skipped = await store.write('test', () => skipToLatest('b.example', { perRoom: 10 }))
    expect(skipped).toEqual({ rooms: 1, pdus: 37 })
    expect(await waiting()).toEqual([12, 39, 40, ...range(41, 50)])
  })

  it('leaves what sticks', async () => {
    await room(1, range(1, 40), [40])
    await store.write('test', () =>
      insertStickyEvents([
        { event_nid: 7, room_nid: 1, sender: '@a:a.example', own: 1, until_ts: 1, pos: 1 },
      ]),
    )
    expect(await store.write('test', () => skipToLatest('b.example', { perRoom: 10 }))).toMatchObject({
      pdus: 38,
    })
    expect(await waiting()).toEqual([7, 40])
  })

  it('keeps the last that concerns a server which is no longer in the room', async () => {
    // The heads are later events, which nobody sends there any more.
    await room(1, range(1, 20), [99])
    await store.write('test', () => skipToLatest('b.example', { perRoom: 10 }))
    expect(await waiting()).toEqual([20])
  })

  it('does nothing for other destinations, nor where little waits', async () => {
    await room(1, range(1, 10), [10])
    expect(await store.write('test', () => skipToLatest('b.example', { perRoom: 10 }))).toEqual({
      rooms: 0,
      pdus: 0,
    })
    expect(await store.write('test', () => skipToLatest('c.example', { perRoom: 1 }))).toEqual({
      rooms: 0,
      pdus: 0,
    })
    expect(await waiting()).toHaveLength(10)
  })

  it.each([
    ['a long', 0, [60, ...range(61, 70)]],
    ['a short', 3_600_000, range(1, 70)],
  ])(
    'after %s outage sends what is due, and every message to devices and device list',
    async (_, after, due) => {
      await room(1, range(1, 60), [60])
      await room(2, range(61, 70), [70])
      const types = ['m.direct_to_device', 'm.device_list_update']
      await store.write('test', () => enqueueEdus(range(1, 150).map((n) => device(n, types[n % 2]))))
      const got: { pdus: number[]; edus: number[] } = { pdus: [], edus: [] }
      let failures = 0
      const sender = createSender({
        store,
        client: {
          request: async (request) => {
            if (failures++ < 2) throw new FederationError('unreachable', 'down')
            const body = JSON.parse(bodyText(request)!) as {
              pdus: { n: number }[]
              edus: { content: { n: number } }[]
            }
            got.pdus.push(...body.pdus.map(({ n }) => n))
            got.edus.push(...body.edus.map(({ content }) => content.n))
            return {} as JsonObject
          },
        },
        clock: systemClock,
        random: systemRandom,
        logger: silentLogger,
        serverName: 'a.example',
        options: { backoff: { initialMs: 5, maxMs: 20 }, catchUpAfterMs: after, catchUpPerRoom: 20 },
      })
      await sender.resume()
      await until(() => sender.stats().active === 0)
      await sender.close()
      expect(got.pdus).toEqual(due)
      expect(got.edus).toEqual(range(1, 150))
      expect(await waiting()).toEqual([])
    },
  )
})
