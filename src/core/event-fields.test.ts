import { expect, it } from '@jest/globals'
import { compileEventFields } from './event-fields.js'

const event = {
  type: 'm.room.message',
  sender: '@a:x',
  content: { body: 'hello', info: { w: 1, h: 2 }, 'm.relates_to': { rel_type: 'm.thread' } },
}

it('keeps the named fields alone', () => {
  expect(compileEventFields(['type', 'content.info.w', 'content.m\\.relates_to.rel_type'])(event)).toEqual({
    type: 'm.room.message',
    content: { info: { w: 1 }, 'm.relates_to': { rel_type: 'm.thread' } },
  })
})

it('brings the whole of an object that is named, in either order', () => {
  const whole = { content: event.content }
  expect(compileEventFields(['content', 'content.body'])(event)).toEqual(whole)
  expect(compileEventFields(['content.body', 'content'])(event)).toEqual(whole)
})

it('leaves out what the event lacks, and looks at own properties only', () => {
  expect(
    compileEventFields(['content.topic', 'content.body.length', 'toString', '__proto__'])(event),
  ).toEqual({})
  const hostile = JSON.parse('{"__proto__":{"a":1}}')
  const shaped = compileEventFields(['__proto__.a'])(hostile)
  expect(JSON.stringify(shaped)).toBe('{"__proto__":{"a":1}}')
  expect(Object.getPrototypeOf({})).toBe(Object.prototype)
})

it('gives an empty event for no fields', () => {
  expect(compileEventFields([])(event)).toEqual({})
})
