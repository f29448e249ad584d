import { Readable } from 'node:stream'
import { describe, expect, it } from '@jest/globals'
import { readListAnswer } from './peer-answer.js'

/** The text in pieces of a few bytes, so that every token is cut somewhere. */
const pieces = (text: string, size: number): Readable => {
  const bytes = Buffer.from(text)
  const out: Buffer[] = []
  for (let i = 0; i < bytes.length; i += size) out.push(bytes.subarray(i, i + size))
  return Readable.from(out)
}
const read = (text: string, size = 7) => readListAnswer(pieces(text, size), ['state', 'auth_chain'])

describe('reading an answer with long lists', () => {
  const answer = {
    origin: 'a,]}"[{ "state": [1]',
    state: [{ a: ['x', { state: [1, 2] }], 'k"]': 'é😀' }, { b: '],[' }, 3],
    other: { state: [9], list: [1, [2]] },
    auth_chain: [],
    event: { auth_chain: [5] },
  }

  it.each([1, 2, 3, 64, 10_000])('gives elements and the rest, in pieces of %d bytes', async (size) => {
    for (const text of [JSON.stringify(answer), JSON.stringify(answer, undefined, 3)]) {
      const { envelope, lists } = await read(text, size)
      expect(envelope).toEqual({ ...answer, state: [], auth_chain: [] })
      expect(lists.get('state')).toEqual(answer.state)
      expect(lists.get('auth_chain')).toEqual([])
    }
  })

  it('reads the form of the first version, a list of a status and the object', async () => {
    const { envelope, lists } = await read(JSON.stringify([200, answer]))
    expect(envelope).toMatchObject([200, { origin: answer.origin, state: [] }])
    expect(lists.get('state')).toEqual(answer.state)
  })

  it('leaves out elements that are no JSON, and no others', async () => {
    const { lists } = await read(
      '{"state":[{"a":1},{"a":1 "b"},nonsense,{"a":1,"a":2},{"c":3}],"auth_chain":[]}',
    )
    expect(lists.get('state')).toEqual([{ a: 1 }, { c: 3 }])
  })

  it.each(['', '{"state":[{"a":1}', '{"state":[1]]', 'null x', '{"state":[1],"state":[2]}', '{"state":1,}'])(
    'refuses %j',
    async (text) => {
      await expect(read(text)).rejects.toMatchObject({ kind: 'bad-response' })
    },
  )

  it('bounds elements, their number, and what is around them', async () => {
    const long = JSON.stringify({ state: ['x'.repeat(100), 'short'] })
    const some = await readListAnswer(pieces(long, 9), ['state'], { maxElementBytes: 50 })
    expect(some.lists.get('state')).toEqual(['short'])
    await expect(
      readListAnswer(pieces('{"state":[1,2,3,4]}', 3), ['state'], { maxElements: 3 }),
    ).rejects.toMatchObject({ kind: 'bad-response' })
    await expect(
      readListAnswer(pieces(`{"x":"${'y'.repeat(200)}"}`, 3), ['state'], { maxEnvelopeBytes: 100 }),
    ).rejects.toMatchObject({ kind: 'bad-response' })
  })
})
