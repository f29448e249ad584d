import { describe, expect, it } from '@jest/globals'
import { compareSpaceChildren, readSpaceChild, type ChildFields, type SpaceChild } from './space-child.js'
import type { Json } from './json/value.js'

const fields = (over: Partial<ChildFields> = {}): ChildFields => ({
  type: 'm.space.child',
  stateKey: '!a:one.example',
  sender: '@u:one.example',
  content: { via: ['one.example'] },
  ts: 5,
  ...over,
})
const child = (roomId: string, ts: number, order?: Json): SpaceChild =>
  readSpaceChild(
    fields({ stateKey: roomId, ts, content: { via: ['x'], ...(order === undefined ? {} : { order }) } }),
  )!

describe('a child of a space', () => {
  it('is read from its event', () => {
    expect(
      readSpaceChild(fields({ content: { via: ['one.example', 7, '../x'], suggested: true, order: 'b' } })),
    ).toEqual({
      roomId: '!a:one.example',
      via: ['one.example'],
      suggested: true,
      order: 'b',
      ts: 5,
      event: {
        type: 'm.space.child',
        state_key: '!a:one.example',
        sender: '@u:one.example',
        content: { via: ['one.example', 7, '../x'], suggested: true, order: 'b' },
        origin_server_ts: 5,
      },
    })
  })

  it.each<[string, Partial<ChildFields>]>([
    ['another type', { type: 'm.space.parent' }],
    ['a bad room id', { stateKey: 'a:one.example' }],
    ['no via', { content: {} }],
    ['an empty via', { content: { via: [] } }],
    ['a via of no servers', { content: { via: ['..', 1, null] } }],
    ['a content that is a list', { content: [] }],
    ['a sender that is none', { sender: 'u' }],
    ['a time that is none', { ts: 'soon' }],
    ['a time beyond all integers', { ts: 2 ** 60 }],
  ])('is not one with %s', (_, over) => {
    expect(readSpaceChild(fields(over))).toBeUndefined()
  })

  it.each([['\u00e9'], ['\n'], [''], ['x'.repeat(51)], [7], [null]])('has no order by %j', (order) => {
    expect(child('!a:x', 1, order).order).toBeUndefined()
  })

  it('suggests itself by true alone', () => {
    expect(readSpaceChild(fields({ content: { via: ['x'], suggested: 1 } }))!.suggested).toBe(false)
  })

  it('stands where the example of the specification puts it', () => {
    const children = [
      child('!b:x', 1640341000000, ' '),
      child('!a:x', 1640141000000, 'aaaa'),
      child('!c:x', 1640841000000, 'first'),
      child('!e:x', 1640641000000),
      child('!d:x', 1640741000000),
    ]
    const sorted = children.toReversed().toSorted(compareSpaceChildren)
    expect(sorted.map((one) => one.roomId)).toEqual(['!b:x', '!a:x', '!c:x', '!e:x', '!d:x'])
  })

  it('is sorted by time where the order is the same, and by id where the time is', () => {
    const children = [child('!b:x', 2, 'q'), child('!c:x', 1, 'q'), child('!a:x', 2, 'q')]
    expect(children.toSorted(compareSpaceChildren).map((one) => one.roomId)).toEqual(['!c:x', '!a:x', '!b:x'])
  })
})
