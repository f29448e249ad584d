import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals'
import { createSharedRest } from './shared-rest.js'

beforeEach(() => void jest.useFakeTimers())
afterEach(() => void jest.useRealTimers())

describe('a rest between transactions', () => {
  it('ends for all at the same moment, soon, and the next one is another', async () => {
    const pauses = createSharedRest(() => 30)
    const ended: string[] = []
    const wait = (name: string): Promise<void> => pauses.rest().then(() => void ended.push(name))
    void wait('first')
    await jest.advanceTimersByTimeAsync(20)
    void wait('second')
    await jest.advanceTimersByTimeAsync(9)
    expect(ended).toEqual([])
    await jest.advanceTimersByTimeAsync(1)
    expect(ended).toEqual(['first', 'second'])
    void wait('third')
    await jest.advanceTimersByTimeAsync(29)
    expect(ended).toHaveLength(2)
    await jest.advanceTimersByTimeAsync(1)
    expect(ended).toHaveLength(3)
  })

  it('is never longer than 50 ms, however many there are', async () => {
    const pauses = createSharedRest(() => 5_000)
    let ended = false
    void pauses.rest().then(() => (ended = true))
    await jest.advanceTimersByTimeAsync(50)
    expect(ended).toBe(true)
  })

  it('is none where few are sent to, and can be ended', async () => {
    let servers = 3
    const pauses = createSharedRest(() => servers)
    await pauses.rest()
    servers = 40
    const waiting = pauses.rest()
    pauses.end()
    await waiting
    expect(jest.getTimerCount()).toBe(0)
  })
})
