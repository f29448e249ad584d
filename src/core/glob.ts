/**
 * Matching of strangers' patterns without regular expressions: `*` stands for any characters, `?` for one, everything
 * else for itself. A pattern is cut at its asterisks; each piece is searched once, from where the last one ended, so
 * the time is linear in the text (times the piece's length over 31, for a piece with question marks).
 * SPEC: https://spec.matrix.org/v1.19/appendices/#glob-style-matching
 */

/** Code points of a text; ordinary texts have one for each UTF-16 unit. */
export type Points = Uint16Array | Uint32Array

export function toPoints(text: string): Points {
  if (/[\ud800-\udfff]/.test(text)) return Uint32Array.from(Array.from(text), (char) => char.codePointAt(0)!)
  const points = new Uint16Array(text.length)
  for (let i = 0; i < text.length; i++) points[i] = text.charCodeAt(i)
  return points
}

const STAR = 0x2a
const QUESTION_MARK = 0x3f

/** Whether an occurrence of a piece, from `start` to before `end`, will do. */
type Accept = (start: number, end: number) => boolean

/** A part of a pattern without asterisks. */
interface Piece {
  readonly length: number
  /** Whether it stands at a place. Pre: there is room for it. */
  matchesAt(text: Points, at: number): boolean
  /** The end of the first occurrence at or after `from` that will do; -1 for none. */
  find(text: Points, from: number, accept: Accept): number
}

const always: Accept = () => true

function literalPiece(points: Points): Piece {
  const { length } = points
  // How much of the piece's start is also the end of what was matched so far (Knuth, Morris and Pratt).
  const fallback = new Uint16Array(length)
  for (let i = 1, k = 0; i < length; i++) {
    while (k > 0 && points[i] !== points[k]) k = fallback[k - 1]!
    if (points[i] === points[k]) k++
    fallback[i] = k
  }
  return {
    length,
    matchesAt(text, at) {
      for (let i = 0; i < length; i++) if (text[at + i] !== points[i]) return false
      return true
    },
    find(text, from, accept) {
      if (length === 0) return accept(from, from) ? from : -1
      for (let i = from, k = 0; i < text.length; i++) {
        while (k > 0 && text[i] !== points[k]) k = fallback[k - 1]!
        if (text[i] === points[k]) k++
        if (k < length) continue
        if (accept(i + 1 - length, i + 1)) return i + 1
        k = fallback[k - 1]!
      }
      return -1
    },
  }
}

const BITS = 31

/** One bit for each place of the piece that what was read so far may have reached. */
function wildPiece(points: Points): Piece {
  const { length } = points
  const words = Math.ceil(length / BITS)
  const anything = new Int32Array(words)
  const masks = new Map<number, Int32Array>()
  const set = (mask: Int32Array, i: number): void => {
    const word = Math.floor(i / BITS)
    mask[word] = mask[word]! | (1 << (i % BITS))
  }
  points.forEach((point, i) => {
    if (point === QUESTION_MARK) set(anything, i)
  })
  points.forEach((point, i) => {
    if (point === QUESTION_MARK) return
    const mask = masks.get(point) ?? anything.slice()
    masks.set(point, mask)
    set(mask, i)
  })
  const ofAscii = Array.from({ length: 128 }, (_, point) => masks.get(point) ?? anything)
  const lastWord = words - 1
  const lastBit = 1 << ((length - 1) % BITS)
  return {
    length,
    matchesAt(text, at) {
      for (let i = 0; i < length; i++) {
        if (points[i] !== QUESTION_MARK && text[at + i] !== points[i]) return false
      }
      return true
    },
    find(text, from, accept) {
      const state = new Int32Array(words)
      for (let i = from; i < text.length; i++) {
        const point = text[i]!
        const mask = point < 128 ? ofAscii[point]! : (masks.get(point) ?? anything)
        let carry = 1
        for (let w = 0; w < words; w++) {
          const old = state[w]!
          state[w] = ((old << 1) | carry) & mask[w]!
          carry = (old >>> (BITS - 1)) & 1
        }
        if ((state[lastWord]! & lastBit) === 0) continue
        if (accept(i + 1 - length, i + 1)) return i + 1
      }
      return -1
    },
  }
}

function piecesOf(pattern: Points): Piece[] {
  const pieces: Piece[] = []
  let start = 0
  for (let i = 0; i <= pattern.length; i++) {
    if (i < pattern.length && pattern[i] !== STAR) continue
    const points = pattern.subarray(start, i)
    pieces.push(points.includes(QUESTION_MARK) ? wildPiece(points) : literalPiece(points))
    start = i + 1
  }
  return pieces
}

/** The end of the last of `pieces`, each found after the one before it; -1 when one is missing. */
function findInOrder(pieces: readonly Piece[], text: Points, from: number): number {
  let at = from
  for (const piece of pieces) {
    at = piece.find(text, at, always)
    if (at === -1) return -1
  }
  return at
}

/** Whether a whole text matches. */
export function compileGlob(pattern: string): (text: string) => boolean {
  if (!/[*?]/.test(pattern)) return (text) => text === pattern
  const pieces = piecesOf(toPoints(pattern))
  const first = pieces[0]!
  const last = pieces.at(-1)!
  return (string) => {
    const text = toPoints(string)
    if (pieces.length === 1) return text.length === first.length && first.matchesAt(text, 0)
    if (text.length < first.length + last.length || !first.matchesAt(text, 0)) return false
    const at = findInOrder(pieces.slice(1, -1), text, first.length)
    const end = text.length - last.length
    return at !== -1 && at <= end && last.matchesAt(text, end)
  }
}

const isWordPoint = (point: number): boolean =>
  (point >= 0x61 && point <= 0x7a) ||
  (point >= 0x41 && point <= 0x5a) ||
  (point >= 0x30 && point <= 0x39) ||
  point === 0x5f

/** Whether a word may begin or end at a place: not between two characters of `[A-Za-z0-9_]`. */
const isEdge = (text: Points, at: number): boolean =>
  at === 0 || at === text.length || !isWordPoint(text[at - 1]!) || !isWordPoint(text[at]!)

/** Whether some part of a text matches that begins and ends at the edge of a word. An empty pattern matches nothing. */
export function compileWordGlob(pattern: string): (text: Points) => boolean {
  if (pattern === '') return () => false
  const pieces = piecesOf(toPoints(pattern))
  const first = pieces[0]!
  const last = pieces.at(-1)!
  return (text) => {
    if (pieces.length === 1) {
      return first.find(text, 0, (start, end) => isEdge(text, start) && isEdge(text, end)) !== -1
    }
    const begun = first.find(text, 0, (start) => isEdge(text, start))
    const at = begun === -1 ? -1 : findInOrder(pieces.slice(1, -1), text, begun)
    if (at === -1) return false
    // An asterisk at the end reaches to the end of the text, which is an edge.
    return last.length === 0 || last.find(text, at, (_start, end) => isEdge(text, end)) !== -1
  }
}
