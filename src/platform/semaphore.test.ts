import { describe, expect, it } from '@jest/globals'
import { createSemaphore, SemaphoreFullError } from './semaphore.js'

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('a semaphore', () => {
  it('runs no more tasks at once than it has permits, in order of arrival', async () => {
    const semaphore = createSemaphore({ permits: 2 })
    const started: number[] = []
    let most = 0
    const task = async (id: number): Promise<number> => {
      started.push(id)
      most = Math.max(most, semaphore.active)
      await tick()
      return id
    }
    const results = await Promise.all([1, 2, 3, 4, 5].map((id) => semaphore.run(() => task(id))))
    expect(results).toEqual([1, 2, 3, 4, 5])
    expect(started).toEqual([1, 2, 3, 4, 5])
    expect(most).toBe(2)
    expect(semaphore.active).toBe(0)
  })

  it('gives the permit back when a task fails, also when it throws at once', async () => {
    const semaphore = createSemaphore({ permits: 1 })
    await expect(semaphore.run(() => Promise.reject(new Error('later')))).rejects.toThrow('later')
    const thrower = (): never => {
      throw new Error('at once')
    }
    await expect(semaphore.run(thrower)).rejects.toThrow('at once')
    await expect(semaphore.run(() => 'fine')).resolves.toBe('fine')
  })

  it('refuses further waiters when its queue is full', async () => {
    const semaphore = createSemaphore({ permits: 1, maxWaiting: 1 })
    const first = semaphore.run(tick)
    const second = semaphore.run(tick)
    await expect(semaphore.run(tick)).rejects.toBeInstanceOf(SemaphoreFullError)
    await Promise.all([first, second])
    await expect(semaphore.run(() => 1)).resolves.toBe(1)
  })

  it('drops a waiter that is aborted, and only that one', async () => {
    const semaphore = createSemaphore({ permits: 1 })
    const abort = new AbortController()
    const first = semaphore.run(tick)
    const second = semaphore.run(() => 'never', abort.signal)
    const third = semaphore.run(() => 'third')
    abort.abort(new Error('gone'))
    await expect(second).rejects.toThrow('gone')
    await first
    await expect(third).resolves.toBe('third')
    await expect(semaphore.run(() => 'never', abort.signal)).rejects.toThrow('gone')
    expect(semaphore.active).toBe(0)
    expect(semaphore.waiting).toBe(0)
  })
})
