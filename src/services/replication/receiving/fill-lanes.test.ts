import { describe, expect, it } from '@jest/globals'
import { manualClock } from '../../../platform/clock.js'
import { createFillLanes } from './fill-lanes.js'

function lanes() {
  const clock = manualClock()
  const subject = createFillLanes(clock)
  /** As many tasks as there are places for; gives what ends them. */
  function fill(origin: string): (() => Promise<void>)[] {
    const ends: (() => Promise<void>)[] = []
    while (subject.isFree(origin)) {
      let end: () => void = () => undefined
      const done = subject.run(origin, () => new Promise((resolve) => (end = resolve)))
      ends.push(() => (end(), done))
    }
    return ends
  }
  return { clock, subject, fill }
}

describe('places for what staged events lack', () => {
  it('are few for one server, and more for many', async () => {
    const { subject, fill } = lanes()
    const [first, ...others] = fill('a.example')
    expect(others).toHaveLength(3)
    expect(fill('b.example')).toHaveLength(4)
    expect(subject.isFree('a.example')).toBe(false)
    await first!()
    expect(subject.isFree('a.example')).toBe(true)
    expect([...fill('c.example'), ...fill('d.example'), ...fill('e.example')].length).toBe(9)
  })

  it('are apart for those that were slow, so that these do not hold up the others', async () => {
    const { clock, subject, fill } = lanes()
    const slow = ['a', 'b', 'c', 'd'].flatMap((name) => fill(`${name}.example`))
    expect(slow).toHaveLength(16)
    expect(subject.isFree('quick.example')).toBe(false)
    clock.advance(60_000)
    for (const end of slow) await end()
    const again = ['a', 'b', 'c', 'd'].flatMap((name) => fill(`${name}.example`))
    expect(again).toHaveLength(8)
    expect(fill('quick.example')).toHaveLength(4)
    for (const end of again) await end()
    // They were quick this time.
    expect(['a', 'b', 'c'].flatMap((name) => fill(`${name}.example`))).toHaveLength(12)
  })

  it('are given back when a task fails', async () => {
    const { subject } = lanes()
    for (let i = 0; i < 20; i++)
      await subject.run('a.example', () => Promise.reject(new Error('no'))).catch(() => undefined)
    expect(subject.isFree('a.example')).toBe(true)
  })

  it('are taken from the slow ones for a while only', async () => {
    const { clock, subject, fill } = lanes()
    for (const name of ['a', 'b'])
      await Promise.all(fill(`${name}.example`).map((end) => (clock.advance(6_000), end())))
    const held = fill('a.example').concat(fill('b.example'))
    expect(held).toHaveLength(8)
    expect(subject.isFree('c.example')).toBe(true)
    clock.advance(11 * 60_000)
    expect(fill('c.example')).toHaveLength(4)
  })
})
