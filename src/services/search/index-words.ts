import { searchText, type SearchKey } from '../../core/search/search-text.js'
import { wordsOf } from '../../core/search/words.js'
import { isObject, type Json } from '../../core/json/value.js'
import type { IndexableRow, SearchDocRow } from '../../storage/tables/search.js'

/** The letter before each word of a key. */
const LETTERS: Readonly<Record<SearchKey, string>> = {
  'content.body': 'b',
  'content.name': 'n',
  'content.topic': 't',
}
/** Words of one event that are indexed; a whole event of short ones has ten times as many. */
const MAX_WORDS = 3_000

/** The word by which all of a room is found. */
export const roomWord = (roomNid: number): string => `r${roomNid}`

/** A word as it stands in the index, for each key. */
export const keyedWords = (word: string, keys: readonly SearchKey[]): string[] =>
  keys.map((key) => LETTERS[key] + word)

/** The words of an entry as they were cut, without the letter of their key and without the room's. */
export const plainWords = (words: string): string[] =>
  words
    .split(' ')
    .slice(1)
    .map((word) => word.slice(1))

/** The entry of an event; undefined where nothing of it can be found. */
export function indexEntry(row: IndexableRow): SearchDocRow | undefined {
  const pdu = JSON.parse(row.json) as Json
  const content = isObject(pdu) ? pdu['content'] : undefined
  if (!isObject(content)) return undefined
  const found = searchText({ type: row.type, stateKey: row.state_key ?? undefined, content })
  if (found === undefined) return undefined
  const words = wordsOf(found.text, MAX_WORDS)
  if (words.length === 0) return undefined
  const letter = LETTERS[found.key]
  return {
    // What was fetched of the past comes after all that was live, in the order it came.
    doc: row.pos ?? -row.nid,
    nid: row.nid,
    room_nid: row.room_nid,
    words: [roomWord(row.room_nid), ...words.map((word) => letter + word)].join(' '),
  }
}
