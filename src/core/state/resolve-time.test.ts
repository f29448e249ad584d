import { describe, expect, it } from '@jest/globals'
import { growth } from '../testing-growth.js'
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
    const resolution = (users: number) => {
      const { story, states } = sides(version, users)
      return (): void => expect(story.resolved(states).size).toBeGreaterThan(users)
    }
    // Eight times the conflict: quadratic would be 64 times as long.
    expect(growth(resolution(150), resolution(1_200), 4)).toBeLessThan(30)
  })
})
