import { describe, expect, it } from '@jest/globals'
import { createPace } from './pace.js'

const busy = (ms: number): void => {
  const until = performance.now() + ms
  while (performance.now() < until);
}

describe('a pace', () => {
  it('lets others have a turn within long work', async () => {
    let turns = 0
    const timer = setInterval(() => turns++, 0)
    const pace = createPace(5)
    for (let step = 0; step < 20; step++) {
      busy(3)
      await pace()
    }
    clearInterval(timer)
    expect(turns).toBeGreaterThanOrEqual(5)
  })

  it('costs short work nothing', () => {
    const pace = createPace(10_000)
    for (let step = 0; step < 1_000; step++) expect(pace()).toBeUndefined()
  })
})
