import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { isLarge, largeJson } from './large-json.js'

describe('the JSON of large answers', () => {
  it('is the same as that of JSON.stringify', async () => {
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string(), fc.jsonValue()), async (answer) => {
        expect((await largeJson(answer)).toString()).toBe(JSON.stringify(answer))
      }),
    )
  })

  it('is the same for long lists, keys that are left out, and what stands in lists for nothing', async () => {
    const item = { body: 'é\u2028"\\', n: -0, list: [undefined, null], gone: undefined }
    const answer = {
      a: Array.from({ length: 1_234 }, () => item),
      none: undefined,
      ['__proto__x']: { deep: [[[1]]] },
    }
    expect((await largeJson(answer)).toString()).toBe(JSON.stringify(answer))
  })

  it('lets others have their turn', async () => {
    let turns = 0
    const answer = { list: Array.from({ length: 20_000 }, (_, index) => ({ index, text: 'x'.repeat(50) })) }
    await largeJson(answer, () => {
      turns++
      return undefined
    })
    expect(turns).toBeGreaterThan(10)
  })

  it('is written for answers with many items, wherever /sync has them', () => {
    const list = Array.from({ length: 1_000 }, () => 1)
    expect(isLarge({ rooms: { join: { r: { state: { events: list } } } } })).toBe(true)
    expect(isLarge({ chunk: list })).toBe(true)
    expect(isLarge(list)).toBe(true)
    expect(isLarge({ chunk: list.slice(0, 100) })).toBe(false)
    expect(isLarge({ a: { b: null, c: 'x' } })).toBe(false)
  })
})
