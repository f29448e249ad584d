import { describe, expect, it } from '@jest/globals'
import { createClockWatch } from './clock-watch.js'
import { manualClock } from './clock.js'
import { createLogger } from './logger.js'

function watched(start?: number) {
  const lines: { level: string; msg: string; stepMs?: number }[] = []
  const logger = createLogger({ write: (line) => lines.push(JSON.parse(line) as (typeof lines)[number]) })
  const clock = manualClock(start ?? Date.UTC(2026, 5, 1))
  return { lines, clock, watch: createClockWatch({ clock, logger }) }
}

describe('the watch over the clock', () => {
  it('says nothing while the clock goes as time does, and of small corrections', () => {
    const { lines, clock, watch } = watched()
    for (let i = 0; i < 100; i++) {
      clock.advance(10_000)
      clock.set(clock.now() + (i % 2 === 0 ? 500 : -500))
      watch.look()
    }
    expect(lines).toEqual([])
  })

  it.each([
    ['an hour back', -3_600_000, 'stepped back'],
    ['a day forward', 86_400_000, 'stepped forward'],
  ])('says once that it stepped %s', (_, step, words) => {
    const { lines, clock, watch } = watched()
    clock.set(clock.now() + step)
    watch.look()
    clock.advance(10_000)
    watch.look()
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatchObject({ level: 'warn', stepMs: step, msg: expect.stringContaining(words) })
  })

  it('says what is wrong where it is 1970, at the start and when it comes to that', () => {
    expect(watched(0).lines[0]).toMatchObject({ level: 'error', msg: expect.stringContaining('is wrong') })
    const { lines, clock, watch } = watched()
    clock.set(0)
    watch.look()
    expect(lines.map(({ level }) => level)).toEqual(['warn', 'error'])
  })
})
