import { createPace, type Pace } from '../platform/pace.js'

/** Items in lists of an answer, above which it is written in portions. */
const LARGE = 300
/** Items written at once. */
const PORTION = 100
/** How deep lists are looked for: `rooms.join.<room>.state.events` of /sync is the deepest. */
const DEPTH = 6
const BUFFER_CHARS = 64 * 1024

/** Whether an answer has so many items that writing it as JSON in one go would hold up others. */
export function isLarge(answer: unknown): boolean {
  let left = LARGE
  const look = (value: unknown, depth: number): boolean => {
    if (typeof value !== 'object' || value === null || depth > DEPTH) return false
    if (Array.isArray(value)) return (left -= value.length) < 0
    for (const key in value) {
      if (look((value as Record<string, unknown>)[key], depth + 1)) return true
    }
    return false
  }
  return look(answer, 0)
}

/** The same bytes as JSON.stringify gives, with turns for others in between. */
export async function largeJson(answer: object, pace: Pace = createPace()): Promise<Buffer> {
  const done: Buffer[] = []
  let text = ''
  for (const part of parts(answer, 0)) {
    text += part
    if (text.length < BUFFER_CHARS) continue
    done.push(Buffer.from(text))
    text = ''
    await pace()
  }
  done.push(Buffer.from(text))
  return Buffer.concat(done)
}

function* parts(value: unknown, depth: number): Generator<string, void> {
  if (Array.isArray(value)) {
    yield '['
    for (let from = 0; from < value.length; from += PORTION) {
      const portion = JSON.stringify(value.slice(from, from + PORTION))
      yield (from === 0 ? '' : ',') + portion.slice(1, -1)
    }
    yield ']'
  } else if (typeof value === 'object' && value !== null && depth <= DEPTH && !('toJSON' in value)) {
    let first = true
    yield '{'
    for (const [key, item] of Object.entries(value)) {
      if (item === undefined) continue
      yield `${first ? '' : ','}${JSON.stringify(key)}:`
      first = false
      yield* parts(item, depth + 1)
    }
    yield '}'
  } else {
    yield JSON.stringify(value)
  }
}
