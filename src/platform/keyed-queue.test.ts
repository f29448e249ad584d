import { describe, expect, it } from '@jest/globals'
import { createKeyedQueue, QueueFullError } from './keyed-queue.js'

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('a keyed queue', () => {
  it('runs the tasks of one key one after the other, in order', async () => {
    const queue = createKeyedQueue()
    const log: string[] = []
    const task = (id: number, turns: number) => async (): Promise<void> => {
      log.push(`start ${id}`)
      for (let turn = 0; turn < turns; turn++) await tick()
      log.push(`end ${id}`)
    }
    await Promise.all([queue.run('a', task(1, 5)), queue.run('a', task(2, 0)), queue.run('a', task(3, 2))])
    expect(log).toEqual(['start 1', 'end 1', 'start 2', 'end 2', 'start 3', 'end 3'])
  })

  it('runs the tasks of different keys side by side', async () => {
    const queue = createKeyedQueue()
    let open: () => void = () => undefined
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const blocked = queue.run('a', () => gate)
    await expect(queue.run('b', () => 'b')).resolves.toBe('b')
    open()
    await blocked
  })

  it('goes on after a task that fails', async () => {
    const queue = createKeyedQueue()
    const thrower = (): never => {
      throw new Error('at once')
    }
    const failed = [queue.run('a', thrower), queue.run('a', () => Promise.reject(new Error('later')))]
    const last = queue.run('a', () => 'fine')
    await expect(failed[0]).rejects.toThrow('at once')
    await expect(failed[1]).rejects.toThrow('later')
    await expect(last).resolves.toBe('fine')
  })

  it('refuses what is over the bound of a key, or of all together', async () => {
    const queue = createKeyedQueue({ maxPerKey: 2, maxTotal: 3 })
    const accepted = [queue.run('a', tick), queue.run('a', tick)]
    await expect(queue.run('a', tick)).rejects.toBeInstanceOf(QueueFullError)
    accepted.push(queue.run('b', tick))
    await expect(queue.run('c', tick)).rejects.toBeInstanceOf(QueueFullError)
    await Promise.all(accepted)
    await expect(queue.run('a', () => 1)).resolves.toBe(1)
  })

  it('keeps order over a queue that is never empty, and remembers nothing afterwards', async () => {
    const queue = createKeyedQueue({ maxPerKey: 10_000 })
    const seen: number[] = []
    const all: Promise<unknown>[] = []
    for (let id = 0; id < 1_000; id++) {
      all.push(
        queue.run('__proto__', async () => {
          await Promise.resolve()
          seen.push(id)
          if (id < 500) all.push(queue.run('__proto__', () => seen.push(id + 10_000)))
        }),
      )
    }
    expect(queue.length('__proto__')).toBe(1_000)
    await queue.idle()
    await Promise.all(all)
    expect(seen).toEqual([...Array(1_000).keys(), ...[...Array(500).keys()].map((id) => id + 10_000)])
    expect(queue.length('__proto__')).toBe(0)
    expect(queue.total).toBe(0)
    await queue.idle()
  })
})
