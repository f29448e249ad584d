import { describe, expect, test } from '@jest/globals'
import { Type } from 'typebox'
import { bodyValidator, given, queryValidator } from './validate.js'

const check = queryValidator(
  Type.Object({
    name: Type.String(),
    from: Type.Optional(Type.String({ maxLength: 8 })),
    limit: Type.Optional(Type.Integer({ minimum: 1 })),
    dir: Type.Optional(Type.Union([Type.Literal('b'), Type.Literal('f')])),
    server: Type.Optional(Type.Array(Type.String())),
  }),
)
const read = (text: string) => check(new URLSearchParams(text))
const fault = (text: string): unknown => {
  try {
    return read(text)
  } catch (error) {
    return (error as { errcode: string }).errcode
  }
}

describe('a query string', () => {
  test('is read as its schema says, and what the schema does not know is left out', () => {
    expect(read('name=a&from=t1&limit=20&dir=b&server=x&server=y&other=1')).toEqual({
      name: 'a',
      from: 't1',
      limit: 20,
      dir: 'b',
      server: ['x', 'y'],
    })
  })

  test('does not give a text that may be left out by an empty value', () => {
    expect(read('name=a&from=')).toEqual({ name: 'a' })
  })

  test('gives a text that is needed as it is, empty too', () => {
    expect(read('name=')).toEqual({ name: '' })
    expect(fault('from=t1')).toBe('M_MISSING_PARAM')
  })

  test('is refused where an empty value stands for a number or a choice', () => {
    expect(fault('name=a&limit=')).toBe('M_INVALID_PARAM')
    expect(fault('name=a&dir=')).toBe('M_INVALID_PARAM')
    expect(fault('name=a&limit=0')).toBe('M_INVALID_PARAM')
    expect(fault('name=a&from=123456789')).toBe('M_INVALID_PARAM')
  })
})

describe('a body', () => {
  test('may say null for what it does not set, where clients do so', () => {
    const body = bodyValidator(Type.Object({ device_id: given(Type.String()), type: Type.String() }))
    expect(body({ type: 'a', device_id: null })).toEqual({ type: 'a', device_id: null })
    expect(body({ type: 'a' })).toEqual({ type: 'a' })
    expect(() => body({ type: 'a', device_id: 5 })).toThrow('device_id')
    expect(() => body({ type: null })).toThrow('type')
  })
})
