import { describe, expect, it } from '@jest/globals'
import { growth } from '../testing-growth.js'
import { hasPhrases, rankOf } from './rank.js'
import { searchText } from './search-text.js'
import { foldWord, parseSearchTerm, wordsOf } from './words.js'

describe('the words of a text', () => {
  it.each([
    ['The quick, brown fox!', ['the', 'quick', 'brown', 'fox']],
    ['Crème brûlée', ['creme', 'brulee']],
    ['e-mail to a@b.example', ['e', 'mail', 'to', 'a', 'b', 'example']],
    ['東京 abc都x', ['東', '京', 'abc', '都', 'x']],
    ['हिन्दी', ['हिन्दी']],
    ['ｆｕｌｌ　ｗｉｄｔｈ', ['full', 'width']],
    ['İstanbul', ['istanbul']],
    ['\ud800 \u0000 x½ 🙂', ['x12']],
    ['', []],
  ])('%j', (text, words) => {
    expect(wordsOf(text, 100)).toEqual(words)
  })

  it('are the same however a letter is written', () => {
    expect(foldWord('e\u0301te\u0301')).toBe(foldWord('ÉTÉ'))
  })

  it('are bounded in number and length, in linear time', () => {
    expect(wordsOf('a '.repeat(100), 7)).toHaveLength(7)
    expect(Buffer.byteLength(wordsOf('ﷺ'.repeat(500), 7)[0]!)).toBeLessThan(500)
    const read = (size: number) => (): void => {
      wordsOf(`${'a\u0301'.repeat(size)}!`, 1000)
      wordsOf('東'.repeat(size), 1000)
      parseSearchTerm('"'.repeat(size / 10) + 'a"'.repeat(size / 10))
    }
    expect(growth(read(100_000), read(400_000))).toBeLessThan(10)
  })
})

describe('a search term', () => {
  it('asks for each word once, and for phrases', () => {
    expect(parseSearchTerm('one "two  three" one e-mail "four')).toEqual({
      words: ['one', 'two', 'three', 'e', 'mail', 'four'],
      phrases: [
        ['two', 'three'],
        ['e', 'mail'],
      ],
    })
    expect(parseSearchTerm(' "" !')).toEqual({ words: [], phrases: [] })
  })

  it('is bounded', () => {
    const { words } = parseSearchTerm(Array.from({ length: 500 }, (_, index) => `w${index}`).join(' '))
    expect(words).toHaveLength(16)
    const quoted = `"${Array.from({ length: 500 }, (_, index) => `w${index}`).join(' ')}"`
    expect(parseSearchTerm(quoted).words).toHaveLength(32)
  })

  it('finds a phrase wherever it stands, also after a false start', () => {
    const terms = parseSearchTerm('"a a b"')
    expect(hasPhrases(['x', 'a', 'a', 'a', 'b'], terms)).toBe(true)
    expect(hasPhrases(['a', 'b', 'a', 'a'], terms)).toBe(false)
    expect(hasPhrases(['a', 'a'], terms)).toBe(false)
  })
})

describe('the rank', () => {
  it('grows with what fits: more often, in fewer words, in the order asked for', () => {
    const terms = parseSearchTerm('red fox')
    const rank = (text: string): number => rankOf(text.split(' '), terms)
    expect(rank('red fox red fox')).toBeGreaterThan(rank('red fox and more'))
    expect(rank('red fox')).toBeGreaterThan(rank('fox red'))
    expect(rank('fox red')).toBeGreaterThan(rank('fox red and very much else besides'))
  })
})

describe('the text of an event', () => {
  const text = (type: string, stateKey: string | undefined, content: object): unknown =>
    searchText({ type, stateKey, content: content as never })

  it('is a message’s body, a room’s name, and its topic in every plain form', () => {
    expect(text('m.room.message', undefined, { body: 'x' })).toEqual({ key: 'content.body', text: 'x' })
    expect(text('m.room.name', '', { name: 'x' })).toEqual({ key: 'content.name', text: 'x' })
    const rich = {
      'm.text': [
        { body: 'plain' },
        { mimetype: 'text/html', body: '<b>' },
        null,
        { mimetype: 'text/plain', body: 'x' },
      ],
    }
    expect(text('m.room.topic', '', { topic: 'x', 'm.topic': rich })).toEqual({
      key: 'content.topic',
      text: 'x\nplain',
    })
  })

  it('is absent for all else', () => {
    expect(text('m.room.encrypted', undefined, { body: 'x' })).toBeUndefined()
    expect(text('m.room.message', '', { body: 'x' })).toBeUndefined()
    expect(text('m.room.message', undefined, { body: ['x'] })).toBeUndefined()
    expect(text('m.room.name', undefined, { name: 'x' })).toBeUndefined()
    expect(text('m.room.name', 'other', { name: 'x' })).toBeUndefined()
    expect(text('m.room.topic', '', { topic: 1, 'm.topic': 'x' })).toBeUndefined()
  })
})
