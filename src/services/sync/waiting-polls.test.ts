import { describe, expect, it } from '@jest/globals'
import { createWaitingPolls } from './waiting-polls.js'

describe('the waiting polls of a user', () => {
  it('give way to later ones, the oldest first, until it has left', () => {
    const polls = createWaitingPolls(2)
    const asked: number[] = []
    const enter = (n: number, user = '@a:x'): { leave(): void } => polls.enter(user, () => void asked.push(n))
    const places = [enter(1), enter(2)]
    enter(9, '@b:x')
    expect(asked).toEqual([])
    enter(3)
    expect(asked).toEqual([1])
    places[0]!.leave()
    enter(4)
    expect(asked).toEqual([1, 2])
    places[0]!.leave()
    expect(asked).toEqual([1, 2])
  })

  it('are forgotten when all have left', () => {
    const polls = createWaitingPolls(1)
    let asked = 0
    for (let n = 0; n < 5; n++) polls.enter('@a:x', () => asked++).leave()
    expect(asked).toBe(0)
  })
})
