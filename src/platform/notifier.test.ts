import { expect, test } from '@jest/globals'
import { createNotifier } from './notifier.js'

const LONG = 60_000
const never = (): AbortSignal => new AbortController().signal

test('the first who are woken finish what they do at once before the last begin', async () => {
  const notifier = createNotifier()
  const order: string[] = []
  const poll = async (name: number): Promise<void> => {
    await notifier.subscribe(['@alice:example.org']).wait(LONG, never())
    for (let step = 1; step <= 3; step++) {
      order.push(`${name} ${step}`)
      await Promise.resolve()
    }
  }
  const polls = Array.from({ length: 20 }, (_, name) => poll(name))
  notifier.notify(['@alice:example.org'])
  await Promise.all(polls)
  expect(order).toHaveLength(60)
  expect(order.indexOf('0 3')).toBeLessThan(order.indexOf('10 1'))
  expect(order.indexOf('10 3')).toBeLessThan(order.indexOf('19 1'))
})

test('many are woken, other events of the loop in between', async () => {
  const notifier = createNotifier()
  let woken = 0
  const polls = Array.from({ length: 200 }, async () => {
    await notifier.subscribe(['@alice:example.org']).wait(LONG, never())
    woken++
  })
  notifier.notify(['@alice:example.org'])
  const seen = new Set<number>()
  while (woken < 200) {
    seen.add(woken)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await Promise.all(polls)
  expect(seen.size).toBeGreaterThan(3)
})

test('who gives up waiting before its turn has been woken all the same', async () => {
  const notifier = createNotifier()
  const others = Array.from({ length: 100 }, () =>
    notifier.subscribe(['@alice:example.org']).wait(LONG, never()),
  )
  const leaving = new AbortController()
  const last = notifier.subscribe(['@alice:example.org'])
  const waited = last.wait(LONG, leaving.signal)
  notifier.notify(['@alice:example.org'])
  await others[0]
  leaving.abort()
  expect(await waited).toBe(true)
  await Promise.all(others)
})

test('a wake-up between two waits is not lost, and counts once', async () => {
  const notifier = createNotifier()
  const mine = notifier.subscribe(['@alice:example.org'])
  notifier.notify(['@alice:example.org', '@bob:example.org'])
  await new Promise((resolve) => setImmediate(resolve))
  expect(await mine.wait(LONG, never())).toBe(true)
  expect(await mine.wait(1, never())).toBe(false)
})

test('who has closed is not woken, and leaves nothing behind', async () => {
  const notifier = createNotifier()
  const mine = notifier.subscribe(['@alice:example.org'])
  expect(notifier.size).toBe(1)
  mine.close()
  mine.close()
  notifier.notify(['@alice:example.org'])
  expect(notifier.size).toBe(0)
  expect(await mine.wait(1, never())).toBe(false)
})
