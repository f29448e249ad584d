import { describe, expect, it } from '@jest/globals'
import type { Json, JsonObject } from '../json/value.js'
import { isReplacement, relationOf } from './relation.js'

const related = (relation: Json): { content: JsonObject } => ({ content: { 'm.relates_to': relation } })

describe('the relation of an event', () => {
  it('is its type and its parent', () => {
    const event = related({ rel_type: 'm.thread', event_id: '$root', is_falling_back: true })
    expect(relationOf(event)).toEqual({ type: 'm.thread', eventId: '$root' })
  })

  it.each<[string, Json]>([
    ['a rich reply', { 'm.in_reply_to': { event_id: '$a' } }],
    ['a list', []],
    ['a null', null],
    ['a type that is a number', { rel_type: 1, event_id: '$a' }],
    ['an empty type', { rel_type: '', event_id: '$a' }],
    ['no parent', { rel_type: 'm.thread' }],
    ['a parent that is no event id', { rel_type: 'm.thread', event_id: 'a' }],
    ['a type with NUL', { rel_type: 'm.\0', event_id: '$a' }],
    ['a parent with a lone surrogate', { rel_type: 'm.thread', event_id: '$\ud800' }],
    ['a type of 256 bytes', { rel_type: 'é'.repeat(128), event_id: '$a' }],
    ['a parent of 256 bytes', { rel_type: 'm.thread', event_id: `$${'a'.repeat(255)}` }],
  ])('is none for %s', (_, relation) => {
    expect(relationOf(related(relation))).toBeUndefined()
  })

  it('is none where only the prototype has one', () => {
    expect(relationOf({ content: Object.create(related({ rel_type: 'm.thread', event_id: '$a' }).content) as JsonObject })).toBeUndefined() // prettier-ignore
  })
})

describe('a replacement', () => {
  const edit = { 'm.relates_to': { rel_type: 'm.replace', event_id: '$a' }, body: '* b' }
  it.each<[boolean, string, { type: string; stateKey?: string; content: JsonObject }]>([
    [true, 'with new content', { type: 'm.room.message', content: { ...edit, 'm.new_content': {} } }],
    [true, 'that is encrypted', { type: 'm.room.encrypted', content: edit }],
    [false, 'without new content', { type: 'm.room.message', content: edit }],
    [false, 'with new content that is text', { type: 'm', content: { ...edit, 'm.new_content': 'b' } }],
    [false, 'that is state', { type: 'm', stateKey: '', content: { ...edit, 'm.new_content': {} } }],
    [false, 'of another kind', { type: 'm', content: { 'm.new_content': {}, 'm.relates_to': { rel_type: 'm.thread', event_id: '$a' } } }], // prettier-ignore
  ])('is %s: an event %s', (expected, _, event) => {
    expect(isReplacement({ stateKey: undefined, ...event })).toBe(expected)
  })
})
