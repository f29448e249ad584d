import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import {
  deleteSearchDocs,
  findSearchDocs,
  insertSearchDocs,
  type SearchDocRow,
  type SearchQuery,
} from './tables/search.js'
import { openSqliteTestStore } from './testing.js'
import { openPostgresTestStore, testPostgres } from './testing-postgres.js'
import { all, type Store } from './tx.js'

const found = await testPostgres()
const STORES: readonly [string, () => Promise<Store>][] = [
  ['SQLite', () => openSqliteTestStore()],
  ...(found.kind === 'running' ? [['PostgreSQL', () => openPostgresTestStore()] as [string, () => Promise<Store>]] : []), // prettier-ignore
]

const doc = (doc: number, room: number, words: string): SearchDocRow => ({
  doc,
  nid: doc + 100_000,
  room_nid: room,
  words: `r${room} ${words}`,
})

describe.each(STORES)('the search index on %s', (name, open) => {
  let store: Store
  beforeEach(async () => {
    store = await open()
  })
  afterEach(() => store.close())

  const add = (...rows: SearchDocRow[]): Promise<void> => store.write('test', () => insertSearchDocs(rows))
  async function find(
    words: string[][],
    more: Partial<SearchQuery> = {},
  ): Promise<{ docs: number[]; below: number | undefined }> {
    const query = { words, rooms: undefined, below: Number.MAX_SAFE_INTEGER, limit: 10, ...more }
    const page = await store.read('test', () => findSearchDocs(store.dialect, query))
    return { docs: page.rows.map((row) => row.doc), below: page.below }
  }

  it('finds what has one word of each list, the latest first, the fetched past at the end', async () => {
    await add(
      doc(-5, 1, 'bapple'),
      doc(-3, 1, 'bapple'),
      doc(1, 1, 'bapple bpear'),
      doc(2, 2, 'bapple'),
      doc(3, 1, 'nplum'),
    )
    expect(await find([['bapple']])).toEqual({ docs: [2, 1, -3, -5], below: undefined })
    expect((await find([['bapple', 'nplum'], ['r1']])).docs).toEqual([3, 1, -3, -5])
    expect((await find([['bapple'], ['bpear']])).docs).toEqual([1])
    expect((await find([['bapple'], ['nplum']])).docs).toEqual([])
    expect((await find([['apple']])).docs).toEqual([])
  })

  it('goes on where a page ended', async () => {
    await add(...[1, 2, 3, 4, 5].map((n) => doc(n, n % 2, 'bx')))
    const first = await find([['bx']], { limit: 2 })
    expect(first).toEqual({ docs: [5, 4], below: 4 })
    expect(await find([['bx']], { limit: 2, below: first.below! })).toEqual({ docs: [3, 2], below: 2 })
    expect(await find([['bx']], { limit: 2, below: 2 })).toEqual({ docs: [1], below: undefined })
  })

  it('finds in many rooms, through pages that have none of them', async () => {
    await add(
      doc(1, 7, 'bx'),
      doc(2, 7, 'bx'),
      ...Array.from({ length: 6_000 }, (_, index) => doc(10 + index, 3, 'bx')),
    )
    const docs: number[] = []
    let pages = 0
    for (let below: number | undefined = Number.MAX_SAFE_INTEGER; below !== undefined; pages++) {
      const page = await find([['bx']], { rooms: [7, 8], below })
      docs.push(...page.docs)
      below = page.below
    }
    expect(docs).toEqual([2, 1])
    expect(pages).toBeLessThan(4)
  })

  it('takes words of every script, and nothing of them for an operator', async () => {
    await add(doc(1, 1, 'bпривет b東 b京 bnot band bnear'), doc(2, 1, 'bمرحبا'))
    expect((await find([['bпривет'], ['b東']])).docs).toEqual([1])
    expect((await find([['bمرحبا']])).docs).toEqual([2])
    expect((await find([[`bnot" OR "bمرحبا`]])).docs).toEqual([])
    expect((await find([[`bnot' | 'bمرحبا`]])).docs).toEqual([])
    expect((await find([['bnear'], ['bnot']])).docs).toEqual([1])
  })

  it('keeps the first entry of an event', async () => {
    await add(doc(1, 1, 'bone'))
    await add(doc(1, 1, 'btwo'))
    expect((await find([['bone']])).docs).toEqual([1])
    expect((await find([['btwo']])).docs).toEqual([])
  })

  it('forgets an event at once, with every word', async () => {
    await add(doc(1, 1, 'bsecret bword'), doc(2, 1, 'bword'))
    await store.write('test', () => deleteSearchDocs([100_001]))
    expect((await find([['bsecret']])).docs).toEqual([])
    expect((await find([['bword']])).docs).toEqual([2])
    expect(await store.read('test', () => all('SELECT * FROM search_docs'))).toHaveLength(1)
    if (name === 'SQLite') {
      const blocks = await store.read('test', () => all<{ block: Uint8Array }>('SELECT block FROM search_words_data')) // prettier-ignore
      const text = blocks.map((row) => Buffer.from(row.block).toString('latin1')).join()
      expect(text).toContain('word')
      expect(text).not.toContain('secret')
    }
  })
})
