import { describe, expect, it } from '@jest/globals'
import { longestTurn } from '../../platform/testing-turns.js'
import { pageText } from './page-text.js'
import { readPage, type PageData } from './read-page.js'

const og = async (html: string): Promise<object> => Object.fromEntries((await readPage(html)).og)

describe('a page', () => {
  it('is read by its OpenGraph properties, the first of each', async () => {
    const page = await readPage(`<meta property="og:title" content=" A
      title "><meta property=og:title content=second><meta name="og:site_name" content="S&eacute;">
      <meta property="og:image:url" content="u"><meta property="og:image" content="i"><meta property="og:image:width" content="5">`)
    expect(Object.fromEntries(page.og)).toEqual({ 'og:title': 'A title', 'og:site_name': 'Sé' })
    expect(page.image).toBe('i')
  })

  it('without them is read by its title, description and text', async () => {
    expect(await og('<title>T</title><meta name=description content=D><p>no</p>')).toEqual({
      'og:title': 'T',
      'og:description': 'D',
    })
    const body =
      '<nav><p>menu</p></nav><script>"<p>code</p>"</script><h1>H <b>b</b></h1><p>One <i>two</i></p><p>three</p>'
    expect(await og(body)).toEqual({ 'og:title': 'H b', 'og:description': 'One two three' })
    expect(await og('')).toEqual({})
    expect((await readPage('<link rel=image_src href=/x>')).image).toBe('/x')
  })

  it('cannot name what it likes', async () => {
    const page = await readPage(
      '<meta property="__proto__" content=x><meta property="og:__proto__" content=y><meta property="og:A B" content=z>',
    )
    expect([...page.og.keys()]).toEqual(['og:__proto__'])
  })

  it.each([
    ['deep nesting', '<div>'.repeat(200_000)],
    ['closing tags that nothing opened', '</a></b>'.repeat(100_000)],
    ['deep nesting and closing tags', '<a><b>'.repeat(50_000) + '</i></u>'.repeat(50_000)],
    ['a title without end', `<title>${'x'.repeat(1_000_000)}`],
    [
      'many properties',
      Array.from({ length: 30_000 }, (_, index) => `<meta property=og:p${index} content=x>`).join(''),
    ],
    ['many attributes', `<p ${Array.from({ length: 100_000 }, (_, index) => `a${index}=1`).join(' ')}>`],
    ['entities', '&amp;'.repeat(200_000)],
    ['an open comment', `<!--${'-'.repeat(1_000_000)}`],
  ])('is read in bounded time and memory: %s', async (_, html) => {
    let page!: PageData
    const longest = await longestTurn(async () => (page = await readPage(html)))
    expect(longest).toBeLessThan(500)
    expect(page.og.size).toBeLessThanOrEqual(52)
    for (const value of page.og.values()) expect(value.length).toBeLessThanOrEqual(1_000)
  })
})

describe('the text of a page', () => {
  const latin1 = (text: string): Uint8Array => Buffer.from(text, 'latin1')
  it.each([
    ['its header', latin1('\xe9'), 'text/html; charset="ISO-8859-1"', 'é'],
    ['itself', latin1('<meta charset=windows-1252>\x80'), 'text/html', '<meta charset=windows-1252>€'],
    ['its mark before all', Buffer.from('\ufeffé'), 'text/html; charset=latin1', 'é'],
    ['UTF-8 for what nobody knows', Buffer.from('é'), 'text/html; charset=klingon', 'é'],
    ['UTF-8 where nothing says', Buffer.from('é'), '', 'é'],
    ['no UTF-16 that it claims to be', Buffer.from('<meta charset=utf-16>é'), '', '<meta charset=utf-16>é'],
  ])('is read by %s', (_, bytes, type, text) => {
    expect(pageText(bytes, type)).toBe(text)
  })
})
