import { describe, expect, it } from '@jest/globals'
import { mayReadEvent, readVisibility } from './history-visibility.js'

describe('readVisibility', () => {
  it.each(['world_readable', 'shared', 'invited', 'joined'])('knows %s', (value) => {
    expect(readVisibility(value)).toBe(value)
  })
  it.each([undefined, null, 1, 'nonsense', {}])('takes %j for shared', (value) => {
    expect(readVisibility(value)).toBe('shared')
  })
})

describe('mayReadEvent', () => {
  const who = [
    ['member then', 'join', true],
    ['member then, gone since', 'join', false],
    ['invited then, joined since', 'invite', true],
    ['invited then', 'invite', false],
    ['gone then, joined since', 'leave', true],
    ['banned then', 'ban', false],
    ['nobody then, joined since', undefined, true],
    ['nobody ever', undefined, false],
  ] as const
  it.each([
    ['world_readable', [true, true, true, true, true, true, true, true]],
    ['shared', [true, true, true, false, true, false, true, false]],
    ['invited', [true, true, true, true, false, false, false, false]],
    ['joined', [true, true, false, false, false, false, false, false]],
  ] as const)('%s', (visibility, expected) => {
    expect(who.map(([, membership, since]) => mayReadEvent(visibility, membership, since))).toEqual(expected)
  })
})
