import { describe, expect, it } from '@jest/globals'
import { compileEventFilter } from './event-filter.js'
import type { JsonObject } from './json/value.js'

const event = { type: 'm.room.message', sender: '@a:x', roomId: '!r:x', content: { body: 'hi' } }

describe('compileEventFilter', () => {
  it.each([
    ['nothing said', {}, true],
    ['its type', { types: ['m.room.message'] }, true],
    ['another type', { types: ['m.room.name'] }, false],
    ['a wildcard at the end', { types: ['m.room.*'] }, true],
    ['a wildcard in the middle', { types: ['m.*.message'] }, true],
    ['a wildcard that fits not', { types: ['m.*.topic'] }, false],
    ['a question mark, which is none', { types: ['m.room.messag?'] }, false],
    ['a question mark beside a wildcard', { types: ['m.roo?.*'] }, false],
    ['no type', { types: [] }, false],
    ['its type refused', { not_types: ['m.room.message'] }, false],
    ['its type refused and wanted', { types: ['*'], not_types: ['m.room.*'] }, false],
    ['its sender', { senders: ['@a:x'] }, true],
    ['another sender', { senders: ['@b:x'] }, false],
    ['its sender refused', { not_senders: ['@a:x'] }, false],
    ['its sender refused and wanted', { senders: ['@a:x'], not_senders: ['@a:x'] }, false],
    ['its room', { rooms: ['!r:x'] }, true],
    ['another room', { rooms: ['!s:x'] }, false],
    ['its room refused', { not_rooms: ['!r:x'] }, false],
    ['no relation, where one is wanted', { 'org.matrix.msc3874.rel_types': ['m.thread'] }, false],
    ['no relation, where one is refused', { 'org.matrix.msc3874.not_rel_types': ['m.thread'] }, true],
    ['a URL wanted', { contains_url: true }, false],
    ['a URL refused', { contains_url: false }, true],
  ])('%s', (_what, json, expected) => {
    expect(compileEventFilter(json).admits(event)).toBe(expected)
  })

  it('matches a literal question mark between wildcards', () => {
    const { admits } = compileEventFilter({ types: ['a*?b*c'] })
    const of = (type: string): boolean => admits({ type, content: {} })
    expect(['axx?bxxc', 'a?bc', 'axbc', 'a?b', 'ba?bc', 'a?bcd'].map(of)).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
    ])
  })

  it('asks for relations, of which those that are none count as none', () => {
    const passing = (filter: JsonObject): readonly unknown[] => {
      const { admits } = compileEventFilter(filter)
      const relations = [{ rel_type: 'm.thread' }, { rel_type: 'm.reference' }, { rel_type: 7 }, 'm.thread']
      return relations.filter((relation) => admits({ ...event, content: { 'm.relates_to': relation } }))
    }
    const [thread, reference] = [{ rel_type: 'm.thread' }, { rel_type: 'm.reference' }]
    expect(passing({ 'org.matrix.msc3874.rel_types': ['m.thread'] })).toEqual([thread])
    expect(passing({ 'org.matrix.msc3874.rel_types': ['m.thread', 'm.reference'] })).toEqual([
      thread,
      reference,
    ])
    expect(passing({ 'org.matrix.msc3874.not_rel_types': ['m.thread'] })).toEqual([
      reference,
      { rel_type: 7 },
      'm.thread',
    ])
    expect(compileEventFilter({ 'org.matrix.msc3874.rel_types': [] }).nothing).toBe(true)
    expect(compileEventFilter({ 'org.matrix.msc3874.not_rel_types': ['x'] }).admitsAll).toBe(false)
  })

  it('wants a URL that is a string', () => {
    const { admits } = compileEventFilter({ contains_url: true })
    expect(admits({ ...event, content: { url: 'mxc://x/y' } })).toBe(true)
    expect(admits({ ...event, content: { url: 1 } })).toBe(false)
  })

  it('knows when nothing can pass, and when everything does', () => {
    expect(compileEventFilter({ types: [] }).nothing).toBe(true)
    expect(compileEventFilter({ senders: [] }).nothing).toBe(true)
    expect(compileEventFilter({ rooms: [] }).nothing).toBe(true)
    expect(compileEventFilter({ limit: 0 }).nothing).toBe(true)
    expect(compileEventFilter({ not_types: [] }).nothing).toBe(false)
    expect(compileEventFilter({ limit: 5, lazy_load_members: true })).toMatchObject({
      limit: 5,
      lazyLoadMembers: true,
      admitsAll: true,
      nothing: false,
    })
    expect(compileEventFilter({ not_senders: ['@a:x'] }).admitsAll).toBe(false)
  })

  it('takes what is malformed for absent', () => {
    for (const json of [undefined, null, [], 'x', { types: 'x', limit: 'y', senders: {} }]) {
      expect(compileEventFilter(json as never)).toMatchObject({ limit: undefined, admitsAll: true })
    }
  })

  it('asks for a sender where the data has none: nothing passes', () => {
    expect(compileEventFilter({ senders: ['@a:x'] }).admits({ type: 't', content: {} })).toBe(false)
    expect(compileEventFilter({ not_senders: ['@a:x'] }).admits({ type: 't', content: {} })).toBe(true)
  })
})
