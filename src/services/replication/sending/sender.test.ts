import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../../../core/json/value.js'
import { systemClock } from '../../../platform/clock.js'
import { createLogger, silentLogger } from '../../../platform/logger.js'
import { systemRandom } from '../../../platform/random.js'
import { destination, enqueueEdus, saveDestination } from '../../../storage/tables/outbox.js'
import { openTestStore } from '../../../storage/testing.js'
import { all, type Store } from '../../../storage/tx.js'
import { bodyText, FederationError, type FederationRequest } from '../../federation/client.js'
import { createSender, type Sender, type SenderDeps, type SenderOptions } from './sender.js'
import { until } from '../../../platform/testing-until.js'

let store: Store
let open: Sender[] = []
beforeEach(async () => {
  store = await openTestStore()
})
afterEach(async () => {
  for (const sender of open) await sender.close()
  open = []
  await store.close()
})

type Answer = (request: FederationRequest) => Promise<JsonObject> | JsonObject

function sender(
  answer: Answer,
  options: Partial<SenderOptions> = {},
  deps: Partial<SenderDeps> = {},
): Sender {
  const made = createSender({
    store,
    client: { request: async (request) => answer(request) },
    clock: systemClock,
    random: systemRandom,
    logger: silentLogger,
    serverName: 'a.example',
    options: { backoff: { initialMs: 10, maxMs: 60 }, ...options },
    ...deps,
  })
  open.push(made)
  return made
}

const put = (to: string, n: number, type = 'm.direct_to_device', first = 0): Promise<void> =>
  store.write('test', () =>
    enqueueEdus(
      Array.from({ length: n }, (_, i) => ({
        destination: to,
        eduType: type,
        content: JSON.stringify({ n: first + i }),
        coalesceKey: null,
      })),
    ),
  )
const waiting = async (to: string): Promise<{ edu_type: string; content: string }[]> => [
  ...(await store.read('test', () =>
    all<{ edu_type: string; content: string }>(
      'SELECT edu_type, content FROM outbox_edus WHERE destination = ? ORDER BY nid',
      to,
    ),
  )),
]
const edusOf = (request: FederationRequest): JsonObject[] =>
  (JSON.parse(bodyText(request)!) as { edus: JsonObject[] }).edus
const status = (code: number, retryAfterMs?: number): FederationError =>
  new FederationError('status', `status ${code}`, {
    status: code,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  })

describe('what waits for a server that is spoken to no more', () => {
  it('is removed, at the start and when more comes, and no other server waits longer for it', async () => {
    const asked: string[] = []
    await put('closed.example', 3)
    await put('open.example', 1)
    const own = sender(
      ({ destination: name }) => {
        asked.push(name)
        return {}
      },
      {},
      { federates: (name) => name !== 'closed.example' },
    )
    await own.resume()
    await until(async () => (await waiting('closed.example')).length + (await waiting('open.example')).length === 0) // prettier-ignore
    await put('closed.example', 2)
    own.wake(['closed.example', 'closed.example'])
    own.sendEphemeral(['closed.example'], { edu_type: 'm.typing', content: {} }, 'key')
    await until(async () => (await waiting('closed.example')).length === 0)
    await own.close()
    expect(asked).toEqual(['open.example'])
    expect(own.stats()).toEqual({ active: 0, failing: 0 })
  })
})

describe('a sender', () => {
  it('goes on after a restart with what waits, and nothing is sent twice after an answer', async () => {
    await put('b.example', 150)
    const got: number[] = []
    const down = sender(() => Promise.reject(new FederationError('unreachable', 'down')))
    await down.resume()
    await until(() => down.stats().failing === 1)
    await down.close()
    const row = await store.read('test', () => destination('b.example'))
    expect(row?.failing_since).not.toBeNull()
    const up = sender((request) => {
      got.push(...edusOf(request).map((edu) => (edu['content'] as JsonObject)['n'] as number))
      return {}
    })
    await up.resume()
    await until(() => up.stats().active === 0)
    expect(got).toEqual(Array.from({ length: 150 }, (_, i) => i))
    expect(await waiting('b.example')).toEqual([])
    expect(await store.read('test', () => destination('b.example'))).toMatchObject({
      failing_since: null,
      retry_at: null,
    })
  })

  it('pauses ever longer, within its bounds, and remembers that over a restart', async () => {
    await put('b.example', 1)
    const times: number[] = []
    const one = sender(
      () => {
        times.push(performance.now())
        throw status(503)
      },
      { backoff: { initialMs: 20, maxMs: 80 } },
    )
    await one.resume()
    await until(() => times.length === 6)
    const pauses = times.slice(1).map((time, i) => time - times[i]!)
    expect(pauses[0]!).toBeGreaterThan(14)
    expect(pauses[2]!).toBeGreaterThan(55)
    await one.close()
    const last = (await store.read('test', () => destination('b.example')))?.retry_interval
    expect(last).toBeGreaterThanOrEqual(64)
    expect(last).toBeLessThanOrEqual(80)

    await store.write('test', () =>
      saveDestination({
        server_name: 'b.example',
        failing_since: 1,
        retry_at: Date.now() + 60_000,
        retry_interval: 60_000,
      }),
    )
    let asked = 0
    const two = sender(() => ({ n: ++asked }), { backoff: { initialMs: 20, maxMs: 3_600_000 } })
    await two.resume()
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(asked).toBe(0)
    // The server is heard of.
    two.onContact('b.example')
    two.onContact('never.heard.of')
    await until(() => two.stats().active === 0)
    expect(asked).toBe(1)
    expect(await waiting('b.example')).toEqual([])
  })

  it('keeps to what a 429 asks for, within its longest pause', async () => {
    await put('b.example', 1)
    let asked = 0
    const times: number[] = []
    const one = sender(
      () => {
        times.push(performance.now())
        asked++
        throw status(429, 10 ** 12)
      },
      { backoff: { initialMs: 5, maxMs: 250 } },
    )
    await one.resume()
    await until(() => asked === 2)
    expect(times[1]! - times[0]!).toBeGreaterThan(190)
  })

  it('is not let to ask all the time by a server that talks to it and never answers', async () => {
    await put('b.example', 1)
    let asked = 0
    const one = sender(
      () => {
        asked++
        throw status(500)
      },
      { backoff: { initialMs: 60_000, maxMs: 60_000 } },
    )
    await one.resume()
    await until(() => asked === 1)
    for (let i = 0; i < 50; i++) one.onContact('b.example')
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(asked).toBe(1)
  })

  it.each([[[37]], [[11, 12, 13]]])(
    'finds the items %j that a server refuses for good, gives them up with a word, and delivers the rest',
    async (poison) => {
      const lines: string[] = []
      await put('b.example', 60)
      const got = new Set<number>()
      const one = sender(
        (request) => {
          const numbers = edusOf(request).map((edu) => (edu['content'] as JsonObject)['n'] as number)
          if (numbers.some((n) => poison.includes(n))) throw status(400)
          for (const n of numbers) got.add(n)
          return {}
        },
        { backoff: { initialMs: 1, maxMs: 5 } },
        { logger: createLogger({ write: (line) => lines.push(line) }) },
      )
      await one.resume()
      await until(() => one.stats().active === 0)
      expect(got.size).toBe(60 - poison.length)
      expect(lines.filter((line) => line.includes('not sent any more'))).toHaveLength(poison.length)
    },
  )

  it.each([400, 413, 422])(
    'gives nothing up where everything is refused with %i for a while',
    async (code) => {
      const lines: string[] = []
      await put('b.example', 30)
      const got: number[] = []
      let asked = 0
      const one = sender(
        (request) => {
          if (++asked <= 40) throw status(code)
          got.push(...edusOf(request).map((edu) => (edu['content'] as JsonObject)['n'] as number))
          return {}
        },
        { backoff: { initialMs: 1, maxMs: 3 } },
        { logger: createLogger({ write: (line) => lines.push(line) }) },
      )
      await one.resume()
      await until(() => one.stats().active === 0)
      expect(got.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, i) => i))
      expect(lines.filter((line) => line.includes('not sent any more'))).toEqual([])
    },
  )

  it('keeps the last item that is refused, and gives it up when what comes after it is taken', async () => {
    await put('b.example', 1)
    let asked = 0
    const got: number[] = []
    const one = sender(
      (request) => {
        asked++
        const numbers = edusOf(request).map((edu) => (edu['content'] as JsonObject)['n'] as number)
        if (numbers.includes(0)) throw status(400)
        got.push(...numbers)
        return {}
      },
      { backoff: { initialMs: 1, maxMs: 3 } },
    )
    await one.resume()
    await until(() => asked > 12)
    expect(await waiting('b.example')).toHaveLength(1)
    await put('b.example', 5, 'm.direct_to_device', 1)
    one.wake(['b.example'])
    await until(() => one.stats().active === 0)
    expect(got).toEqual([1, 2, 3, 4, 5])
    expect(await waiting('b.example')).toEqual([])
  })

  it.each([401, 403, 404, 500])('drops nothing for a status %i', async (code) => {
    await put('b.example', 3)
    let asked = 0
    const one = sender(() => {
      if (++asked < 8) throw status(code)
      return {}
    })
    await one.resume()
    await until(() => one.stats().active === 0)
    expect(asked).toBe(8)
  })

  it('bounds the receipts that wait for a dead server, never messages to devices or changes of keys, and the log tells', async () => {
    const lines: string[] = []
    await put('b.example', 40, 'm.direct_to_device')
    await put('b.example', 40, 'm.receipt')
    await put('b.example', 40, 'm.device_list_update', 100)
    await put('b.example', 40, 'm.signing_key_update', 200)
    let asked = 0
    const one = sender(
      () => {
        asked++
        throw status(502)
      },
      { backoff: { initialMs: 50_000, maxMs: 50_000 }, maxWaitingEdus: 30 },
      { logger: createLogger({ write: (line) => lines.push(line) }) },
    )
    await one.resume()
    await until(() => one.stats().failing === 1 && asked === 1)
    await until(async () => (await waiting('b.example')).length === 150)
    const left = await waiting('b.example')
    const of = (type: string): string[] =>
      left.filter((row) => row.edu_type === type).map((row) => row.content)
    // The newest of them.
    expect(of('m.receipt')).toEqual(Array.from({ length: 30 }, (_, i) => JSON.stringify({ n: 10 + i })))
    for (const type of ['m.direct_to_device', 'm.device_list_update', 'm.signing_key_update'])
      expect([type, of(type).length]).toEqual([type, 40])
    await until(() => lines.some((line) => line.includes('oldest EDUs were dropped')))
    expect(lines.find((line) => line.includes('oldest EDUs were dropped'))).toContain('"m.receipt":10')
    expect(lines.find((line) => line.includes('never dropped'))).toContain('"waiting":120')
  })

  it('reaches living servers while a hundred dead ones hang', async () => {
    for (let i = 0; i < 100; i++) {
      await put(`dead${i}.example`, 1)
      await store.write('test', () =>
        saveDestination({
          server_name: `dead${i}.example`,
          failing_since: 1,
          retry_at: 2,
          retry_interval: 10,
        }),
      )
    }
    await put('alive.example', 1)
    let hanging = 0
    let most = 0
    const one = sender(
      (request) => {
        if (request.destination === 'alive.example') return {}
        most = Math.max(most, ++hanging)
        return new Promise((_, reject) =>
          request.signal!.addEventListener('abort', () => {
            hanging--
            reject(request.signal!.reason as Error)
          }),
        )
      },
      { maxRetriesParallel: 8, maxParallel: 2 },
    )
    await one.resume()
    await until(async () => (await waiting('alive.example')).length === 0)
    await until(() => hanging === 8)
    expect(most).toBe(8)
    await one.close()
    expect(await waiting('dead7.example')).toHaveLength(1)
  })

  it('overlooks nothing of what a busy room says to many servers, and sends nothing twice', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `s${i}.example`)
    const got = new Map(names.map((name) => [name, [] as number[]]))
    const made = sender(async (request) => {
      await new Promise((resolve) => setImmediate(resolve))
      for (const edu of edusOf(request))
        got.get(request.destination)!.push((edu['content'] as { n: number }).n)
      return {}
    })
    // Each wakes the sender at another moment of what it does.
    for (let n = 0; n < 60; n++) {
      await Promise.all(names.map((name) => put(name, 1, 'm.direct_to_device', n)))
      made.wake(names)
      for (let i = 0; i < n % 7; i++) await new Promise((resolve) => setImmediate(resolve))
    }
    await until(() => [...got.values()].every((list) => list.length >= 60))
    await until(() => made.stats().active === 0)
    const all = Array.from({ length: 60 }, (_, n) => n)
    for (const list of got.values()) expect(list).toEqual(all)
    for (const name of names) expect(await waiting(name)).toEqual([])
  })

  it('keeps an EDU that was replaced while an older one was under way', async () => {
    const receipt = (n: number): Promise<void> =>
      store.write('test', () =>
        enqueueEdus([
          {
            destination: 'b.example',
            eduType: 'm.receipt',
            content: JSON.stringify({ n }),
            coalesceKey: 'k',
          },
        ]),
      )
    await receipt(1)
    const got: unknown[] = []
    const one: Sender = sender(async (request) => {
      got.push(...edusOf(request).map((edu) => (edu['content'] as JsonObject)['n']))
      if (got.length === 1) {
        await receipt(2)
        one.wake(['b.example'])
      }
      return {}
    })
    one.wake(['b.example', 'a.example'])
    await until(() => one.stats().active === 0)
    expect(got).toEqual([1, 2])
  })
})
