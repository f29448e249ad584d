import { Readable } from 'node:stream'
import { reply, type Reply } from '../route.js'

/** An answer whose JSON text is made while it is sent. */
export const textReply = (text: AsyncIterable<string>): Reply =>
  reply({
    headers: { 'Content-Type': 'application/json' },
    body: Readable.from(text, { objectMode: false, highWaterMark: 65_536 }),
  })

/** The form of first versions: a list of the status and the answer. */
export async function* inPair(text: AsyncIterable<string>): AsyncGenerator<string> {
  yield '[200,'
  yield* text
  yield ']'
}
