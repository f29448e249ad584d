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

  async function add(piece: string): Promise<void> {
    text += piece
    if (text.length < BUFFER_CHARS) return
    done.push(Buffer.from(text))
    text = ''
    await pace()
  }

  async function write(value: unknown, depth: number): Promise<void> {
    if (Array.isArray(value)) {
      await add('[')
      for (let from = 0; from < value.length; from += PORTION) {
        const portion = JSON.stringify(value.slice(from, from + PORTION))
        await add((from === 0 ? '' : ',') + portion.slice(1, -1))
      }
      await add(']')
    } else if (typeof value === 'object' && value !== null && depth <= DEPTH && !('toJSON' in value)) {
      let first = true
      await add('{')
      for (const [key, item] of Object.entries(value)) {
        if (item === undefined) continue
        await add(`${first ? '' : ','}${JSON.stringify(key)}:`)
        first = false
        await write(item, depth + 1)
      }
      await add('}')
    } else {
      await add(JSON.stringify(value))
    }
  }

  await write(answer, 0)
  done.push(Buffer.from(text))
  return Buffer.concat(done)
}
