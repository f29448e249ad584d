import type { SearchTerms } from './words.js'

/** How many words a message has on the whole. */
const USUAL_LENGTH = 20
/** After so many occurrences a word says little more. */
const SATURATION = 1.2

/** Whether the words hold every phrase. */
export function hasPhrases(words: readonly string[], { phrases }: SearchTerms): boolean {
  return phrases.every((phrase) => holds(words, phrase))
}

function holds(words: readonly string[], phrase: readonly string[]): boolean {
  for (let at = words.indexOf(phrase[0]!); at !== -1; at = words.indexOf(phrase[0]!, at + 1)) {
    if (phrase.every((word, index) => words[at + index] === word)) return true
  }
  return false
}

/**
 * How well a text that has all the words fits: the more often they occur and the shorter the text, the better; in the order
 * of the question, better still. How rare a word is does not matter, as every result has all of them.
 */
export function rankOf(words: readonly string[], terms: SearchTerms): number {
  const counts = new Map(terms.words.map((word) => [word, 0]))
  for (const word of words) {
    const count = counts.get(word)
    if (count !== undefined) counts.set(word, count + 1)
  }
  const damping = SATURATION * (0.25 + (0.75 * words.length) / USUAL_LENGTH)
  let rank = terms.words.length > 1 && holds(words, terms.words) ? 1 : 0
  for (const count of counts.values()) rank += (count * (SATURATION + 1)) / (count + damping)
  return Math.round(rank * 1e6) / 1e6
}
