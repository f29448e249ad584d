import { describe, expect, it } from '@jest/globals'
import { lifetimeOf, refusedRetention, roomKind, type Lifetimes } from './retention.js'

const DAY = 86_400_000
const FREE: Lifetimes = { least: 0, most: undefined, usual: undefined }
const BOUND: Lifetimes = { least: DAY, most: 90 * DAY, usual: 30 * DAY }

describe('how long what is said in a room lives', () => {
  it.each<[object | undefined, Lifetimes, number | undefined]>([
    [undefined, FREE, undefined],
    [{}, FREE, undefined],
    [{ max_lifetime: 5 }, FREE, 5],
    [{ max_lifetime: 0 }, FREE, 0],
    [undefined, BOUND, 30 * DAY],
    [{ max_lifetime: 7 * DAY }, BOUND, 7 * DAY],
    [{ max_lifetime: 5 }, BOUND, DAY],
    [{ max_lifetime: 1000 * DAY }, BOUND, 90 * DAY],
    [{ max_lifetime: 2 * DAY, min_lifetime: 3 * DAY }, BOUND, 3 * DAY],
    [{ max_lifetime: 2 * DAY, min_lifetime: 1000 * DAY }, BOUND, 90 * DAY],
    [undefined, { ...BOUND, usual: undefined }, 90 * DAY],
    [{ max_lifetime: -1 }, BOUND, 30 * DAY],
    [{ max_lifetime: '1' }, BOUND, 30 * DAY],
    [{ max_lifetime: 1.5 }, BOUND, 30 * DAY],
    [{ max_lifetime: null }, FREE, undefined],
  ])('%j within %j is %p', (content, bounds, lifetime) => {
    expect(lifetimeOf(content as never, bounds)).toBe(lifetime)
  })

  it.each<[object, boolean]>([
    [{ max_lifetime: 90 * DAY }, true],
    [{ max_lifetime: 90 * DAY + 1 }, false],
    [{ max_lifetime: DAY - 1 }, false],
    [{}, false],
    [{ max_lifetime: '1' }, false],
    [{ max_lifetime: 5 * DAY, min_lifetime: 6 * DAY }, false],
    [{ max_lifetime: 5 * DAY, min_lifetime: 2 * DAY }, true],
  ])('%j may be set in a room with bounds: %p', (content, allowed) => {
    expect(refusedRetention(content as never, BOUND) === undefined).toBe(allowed)
  })

  it('may be anything where there are no bounds, but no nonsense', () => {
    expect(refusedRetention({}, FREE)).toBeUndefined()
    expect(refusedRetention({ max_lifetime: 1e15 } as never, FREE)).toBeUndefined()
    expect(refusedRetention({ max_lifetime: [] }, FREE)).toBeDefined()
  })

  it('goes by who may come in', () => {
    expect(roomKind({ join_rule: 'public' }, { rule: 'direct' })).toBe('public')
    expect(roomKind({ join_rule: 'invite' }, { rule: 'direct' })).toBe('direct')
    expect(roomKind({ join_rule: 'knock' }, undefined)).toBe('private')
    expect(roomKind(undefined, undefined)).toBe('private')
  })
})
