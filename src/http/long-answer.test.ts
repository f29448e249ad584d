import { createServer, get, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from '@jest/globals'
import { PIECE, writeInPieces } from './long-answer.js'

let server: Server | undefined

afterEach(async () => {
  server?.closeAllConnections()
  await new Promise((resolve) => (server === undefined ? resolve(0) : server.close(resolve)))
  server = undefined
})

/** Asks a server that answers with these bytes; `closed` resolves when the answer has come to an end there, however. */
async function answerOf(bytes: Buffer): Promise<{ answer: IncomingMessage; closed: Promise<boolean> }> {
  const made = createServer()
  server = made
  const closed = new Promise<boolean>((resolve) => {
    made.on('request', (_, res) => {
      res.once('close', () => resolve(res.writableFinished))
      writeInPieces(res, bytes)
    })
  })
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve))
  const { port } = made.address() as AddressInfo
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ host: '127.0.0.1', port, agent: false }, resolve).on('error', reject)
  })
  return { answer, closed }
}

describe('a long answer', () => {
  for (const length of [1, PIECE, PIECE + 1, 2 * PIECE, 5_000_000]) {
    it(`arrives whole with ${length} bytes`, async () => {
      const bytes = Buffer.alloc(length, 'abcdefg')
      const { answer, closed } = await answerOf(bytes)
      expect((await buffer(answer)).equals(bytes)).toBe(true)
      expect(await closed).toBe(true)
    })
  }

  it('ends with its client', async () => {
    const { answer, closed } = await answerOf(Buffer.alloc(100_000_000))
    answer.destroy()
    expect(await closed).toBe(false)
  })
})
