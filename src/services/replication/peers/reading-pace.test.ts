import { setTimeout as pause } from 'node:timers/promises'
import { Readable } from 'node:stream'
import { describe, expect, it } from '@jest/globals'
import { atPace } from './reading-pace.js'

async function* drip(times: number, ms: number, bytes = 1): AsyncGenerator<Buffer> {
  for (let i = 0; i < times; i++) {
    // Not waited for at the end of the test.
    if (ms > 0) await pause(ms, undefined, { ref: ms < 1_000 })
    yield Buffer.alloc(bytes, 0x20)
  }
}

describe('reading at a pace', () => {
  it('gives all bytes of an answer that comes fast enough, or that is small', async () => {
    let bytes = 0
    const fast = Readable.from(drip(150, 5, 1_000))
    for await (const chunk of atPace(fast, { windowMs: 500, minBytes: () => 2_000 }))
      bytes += chunk.byteLength
    expect(bytes).toBe(150_000)
    bytes = 0
    const small = Readable.from(drip(3, 5))
    for await (const chunk of atPace(small, { windowMs: 500, minBytes: () => 2_000 }))
      bytes += chunk.byteLength
    expect(bytes).toBe(3)
  })

  it.each([
    ['drips', 10],
    ['stops', 100_000],
  ])('ends an answer that %s, and lets go of it', async (_, ms) => {
    const body = Readable.from(drip(1_000, ms))
    const read = (async () => {
      for await (const chunk of atPace(body, { windowMs: 150, minBytes: () => 1_000 })) void chunk
    })()
    await expect(read).rejects.toMatchObject({ kind: 'timeout' })
    expect(body.destroyed).toBe(true)
  })

  it('counts the time that the peer takes, not that of the reader', async () => {
    let chunks = 0
    for await (const chunk of atPace(Readable.from(drip(6, 0, 10)), {
      windowMs: 100,
      minBytes: () => 1_000,
    })) {
      chunks += chunk.byteLength / 10
      await pause(60)
    }
    expect(chunks).toBe(6)
  })
})
