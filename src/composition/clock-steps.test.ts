import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { createRateLimiter } from '../http/rate-limit.js'
import { manualClock, type ManualClock } from '../platform/clock.js'
import { silentLogger } from '../platform/logger.js'
import { systemRandom } from '../platform/random.js'
import { FederationError } from '../services/federation/client.js'
import { createSender } from '../services/replication/sending/sender.js'
import { until } from '../platform/testing-until.js'
import { createTyping } from '../services/typing/typing.js'
import { enqueueEdus } from '../storage/tables/outbox.js'
import { dueStaged, stagePdus } from '../storage/tables/staging.js'
import { openTestStore } from '../storage/testing.js'
import { run, type Store } from '../storage/tx.js'

const HOUR = 3_600_000
const START = Date.UTC(2026, 5, 1)
const STEPS: [string, number][] = [
  ['an hour back', START - HOUR],
  ['a day forward', START + 24 * HOUR],
  ['to 1970', 0],
]

let store: Store
let clock: ManualClock
beforeEach(async () => {
  store = await openTestStore()
  clock = manualClock(START)
})
afterEach(() => store.close())

describe.each(STEPS)('a clock that steps %s', (_, to) => {
  it('neither frees nor locks who is rate-limited', () => {
    const limiter = createRateLimiter({ write: { per_second: 1, burst: 1 } }, clock)
    limiter.take('write', 'a')
    clock.set(to)
    expect(() => limiter.take('write', 'a')).toThrow('Too many requests; try again in 1 s')
    clock.advance(1_000)
    limiter.take('write', 'a')
  })

  it('neither ends typing nor keeps it up, also where the program starts again meanwhile', () => {
    const typing = createTyping(clock)
    typing.set(1, '@a:x', 20_000)
    const position = typing.position()
    clock.set(to)
    expect(typing.in(1)).toEqual(['@a:x'])
    clock.advance(21_000)
    expect(typing.in(1)).toEqual([])
    const again = createTyping(clock)
    again.set(1, '@b:x', 20_000)
    expect(again.changedSince(1, position)).toBe(true)
    expect(again.changedSince(1, again.position())).toBe(false)
  })

  it('puts no other server off for longer than its pause', async () => {
    await store.write('test', () =>
      enqueueEdus([{ destination: 'b.example', eduType: 'x', content: '{}', coalesceKey: null }]),
    )
    let asked = 0
    const deps = {
      store,
      client: {
        request: () => {
          if (++asked < 3) return Promise.reject(new FederationError('unreachable', 'down'))
          return Promise.resolve({})
        },
      },
      clock,
      random: systemRandom,
      logger: silentLogger,
      serverName: 'a.example',
      options: { backoff: { initialMs: 50, maxMs: 200 } },
    }
    const sender = createSender(deps)
    await sender.resume()
    await until(() => asked === 1)
    clock.set(to)
    await until(() => sender.stats().active === 0)
    expect(asked).toBe(3)
    await sender.close()
  })

  it('leaves no staged event waiting until the old time comes again', async () => {
    const now = START
    await store.write('test', function* () {
      yield* stagePdus([
        { origin: 'b.example', room_id: '!r:x', event_id: '$1', received: now, json: '{}', verified: 1 },
      ])
      yield* run('UPDATE staged_pdus SET retry_at = ?', now + 60_000)
    })
    const due = (at: number) => store.read('test', () => dueStaged('!r:x', at, HOUR))
    expect(await due(now)).toEqual([])
    expect(await due(now + 60_000)).toHaveLength(1)
    if (Math.abs(to - now) > HOUR) expect(await due(to)).toHaveLength(1)
    // Up to the longest pause later it is due in any case.
    expect(await due(to + 2 * HOUR)).toHaveLength(1)
  })
})
