import { describe, expect, it } from '@jest/globals'
import { createNotifier } from '../../platform/notifier.js'
import { createParkedSubscriptions, type Parked } from './parked-subscriptions.js'

const device = (deviceId: string): { userId: string; deviceId: string } => ({ userId: '@a:b', deviceId })
const never = new AbortController().signal
const flushed = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))

describe('parked subscriptions', () => {
  it('keep what wakes them between two polls', async () => {
    const notifier = createNotifier()
    const of = (token: string): Parked => ({
      token,
      subscription: notifier.subscribe(['@a:b']),
      hadMessages: false,
    })
    const parked = createParkedSubscriptions()
    parked.park(device('D'), of('t1'))
    notifier.notify(['@a:b'])
    await flushed()
    const again = parked.take(device('D'), 't1')!
    expect(await again.subscription.wait(1_000, never)).toBe(true)
  })

  it('are given once, to their own device and for their own token', () => {
    const notifier = createNotifier()
    const of = (token: string): Parked => ({
      token,
      subscription: notifier.subscribe(['@a:b']),
      hadMessages: false,
    })
    const parked = createParkedSubscriptions()
    parked.park(device('D'), of('t1'))
    expect(parked.take(device('E'), 't1')).toBeUndefined()
    expect(parked.take(device('D'), 't1')).toBeDefined()
    expect(parked.take(device('D'), 't1')).toBeUndefined()
  })

  it('end when the device comes with another token, parks anew, or many others come after it', () => {
    const notifier = createNotifier()
    const of = (token: string): Parked => ({
      token,
      subscription: notifier.subscribe(['@a:b']),
      hadMessages: false,
    })
    const parked = createParkedSubscriptions(2)
    parked.park(device('D'), of('t1'))
    expect(parked.take(device('D'), 't0')).toBeUndefined()
    expect(notifier.size).toBe(0)
    parked.park(device('D'), of('t1'))
    parked.park(device('D'), of('t2'))
    expect(notifier.size).toBe(1)
    parked.park(device('E'), of('t1'))
    parked.park(device('F'), of('t1'))
    expect(notifier.size).toBe(2)
    expect(parked.take(device('D'), 't2')).toBeUndefined()
  })
})
