import { describe, expect, it } from '@jest/globals'
import type { StateMap } from './conflicted.js'
import { ALICE, BOB, start, withAlice, type Story } from './testing-story.js'

describe('the time', () => {
  /** Two sides of a room on which a number of users joined and were kicked, and levels changed meanwhile. */
  const sides = (version: number, users: number): { story: Story; states: readonly StateMap[] } => {
    const { story, room } = start(version)
    let left = room
    let right = room
    for (let n = 0; n < users; n++) {
      const user = `@u${n}:n.example`
      left = story.member(left, `l${n}`, user, 'join')
      right = story.member(right, `r${n}`, user, 'join')
      if (n % 5 === 0) right = story.levels(right, `p${n}`, withAlice(story.rules, { [BOB]: 50, [user]: 1 }))
      if (n % 2 === 0) left = story.add(left, `x${n}`, 'x', String(n))
      right = story.member(right, `k${n}`, user, 'leave', { sender: ALICE })
    }
    return { story, states: [left, right] }
  }

  it.each([1, 2, 12])('grows little faster than the conflict (version %i)', (version) => {
    const small = sides(version, 300)
    const large = sides(version, 1_200)
    const milliseconds = { small: Infinity, large: Infinity }
    // Interleaved, and the best of some: what else the machine does meanwhile falls on both.
    for (let round = 0; round < 4; round++) {
      for (const size of ['large', 'small'] as const) {
        const { story, states } = size === 'large' ? large : small
        const begun = performance.now()
        const result = story.resolved(states)
        milliseconds[size] = Math.min(milliseconds[size], performance.now() - begun)
        expect(result.size).toBeGreaterThan(size === 'large' ? 1_200 : 300)
      }
    }
    // Four times the events: 16 times as long would be quadratic.
    expect(milliseconds.large / milliseconds.small).toBeLessThan(10)
  })
})
