/**
 * Cuts text into the words that a search finds it by. The same cut is made for what is stored and for what is asked, and the databases
 * are given words only, so that both find the same.
 */

/** Scripts that put no space between words: each character is a word of its own, and a run of them is asked for as a phrase. */
const UNSPACED = '\\p{sc=Han}\\p{sc=Hira}\\p{sc=Kana}\\p{sc=Thai}\\p{sc=Laoo}\\p{sc=Khmr}\\p{sc=Mymr}'
const WORD = new RegExp(`[${UNSPACED}]|(?:(?![${UNSPACED}])[\\p{L}\\p{N}\\p{M}])+`, 'gu')
/** Anything up to a space, or up to the closing quote after a quote. */
const CLAUSE = /"([^"]*)"?|[^\s"]+/gu

const MAX_WORD = 64
const MAX_CLAUSES = 16
const MAX_QUERY_WORDS = 32

/** Without case and accents, in one form for every way to write it. */
export function foldWord(text: string): string {
  const folded = text
    .slice(0, MAX_WORD)
    .toLowerCase()
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
  // What stands for several characters, such as ½, may decompose into something that is no letter.
  return Array.from(folded.normalize('NFC'))
    .filter((char) => LETTER.test(char))
    .slice(0, MAX_WORD)
    .join('')
}
const LETTER = /[\p{L}\p{N}\p{M}]/u

/** The words of a text in order, as written; at most `max`. Linear in the text. */
export function* surfaceWords(text: string, max: number): Generator<string> {
  let found = 0
  for (const [word] of text.matchAll(WORD)) {
    if (found++ === max) return
    yield word
  }
}

/** The folded words of a text in order; at most `max`. */
export function wordsOf(text: string, max: number): string[] {
  const words: string[] = []
  for (const surface of surfaceWords(text, max)) {
    const word = foldWord(surface)
    if (word !== '') words.push(word)
  }
  return words
}

export interface SearchTerms {
  /** Each once; a text must have all of them. Empty: nothing is asked for. */
  readonly words: readonly string[]
  /** Words that must stand next to each other in this order; each has at least two. */
  readonly phrases: readonly (readonly string[])[]
}

/** What a search term asks for: all of its words; what stands in quotes, or without a space between, as it stands there. */
export function parseSearchTerm(term: string): SearchTerms {
  const words = new Set<string>()
  const phrases: string[][] = []
  let clauses = 0
  for (const match of term.matchAll(CLAUSE)) {
    if (clauses++ === MAX_CLAUSES) break
    const clause = wordsOf(match[1] ?? match[0], MAX_QUERY_WORDS - words.size)
    for (const word of clause) words.add(word)
    if (clause.length > 1) phrases.push(clause)
  }
  return { words: [...words], phrases }
}
