import { Readable } from 'node:stream'
import { describe, expect, it } from '@jest/globals'
import type { Json } from '../core/json/value.js'
import { decodeJson, plain, readBody } from './body.js'
import { sendMessage } from './client/room/send-message.js'
import { setRoomStateWithKey } from './client/room/set-room-state-with-key.js'
import { sendTransaction } from './server-server/send-transaction.js'

const read = (text: string): Json => decodeJson(Buffer.from(text))

describe('plain', () => {
  it.each([
    '5',
    '1.5',
    '-0',
    '1e3',
    'null',
    '[]',
    '{}',
    '[1,[2.5,{"a":[9007199254740991,-9007199254740991,1e300]}],"x",true,null]',
  ])('gives for %s what JSON.parse gives', (text) => {
    expect(plain(read(text))).toEqual(JSON.parse(text))
  })

  it.each(['1e400', '{"a":[-1e400]}'])('refuses %s, which would come back as null', (text) => {
    expect(() => plain(read(text))).toThrow(expect.objectContaining({ errcode: 'M_BAD_JSON' }))
  })

  it.each(['9007199254740993', '{"a":[-9007199254740992]}', '{"a":{"b":123456789012345678901234567890}}'])(
    'refuses %s, which would come back as another integer',
    (text) => {
      expect(() => plain(read(text))).toThrow(expect.objectContaining({ errcode: 'M_BAD_JSON' }))
    },
  )

  it('keeps __proto__ an own key, whatever its value', () => {
    for (const text of ['{"__proto__":1.5}', '{"__proto__":{"a":2.5}}', '{"__proto__":null,"b":0.5}']) {
      const value = plain(read(text))
      expect(JSON.stringify(value)).toBe(text)
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    }
  })
})

describe('the body of an event', () => {
  it.each([sendMessage, setRoomStateWithKey])(
    'may be the largest event with every character escaped thrice as long, and not a megabyte: reading that blocks',
    ({ maxBody }) => {
      expect(maxBody).toBeGreaterThanOrEqual(3 * 65_536)
      expect(maxBody).toBeLessThanOrEqual(256 * 1024)
    },
  )
})

describe('the reading of a body', () => {
  const chunk = Buffer.from('{"a":1}')
  const open = (): Readable => new Readable({ read: () => undefined })

  it('ends with the stream, and gives nothing of one that has ended', async () => {
    const stream = Readable.from([chunk, chunk])
    expect(Buffer.from(await readBody(stream, undefined, 100)).toString()).toBe('{"a":1}{"a":1}')
    expect((await readBody(stream, undefined, 100)).byteLength).toBe(0)
  })

  it('ends when the client hangs up, be it before or meanwhile', async () => {
    const stream = open()
    stream.push(chunk)
    const reading = readBody(stream, undefined, 100)
    setImmediate(() => stream.destroy())
    await expect(reading).rejects.toMatchObject({ status: 408 })
    await expect(readBody(stream, undefined, 100)).rejects.toMatchObject({ status: 408 })
    const failing = open()
    const failed = readBody(failing, undefined, 100)
    failing.destroy(new Error('connection reset'))
    await expect(failed).rejects.toThrow('connection reset')
  })

  it('refuses what is too large when it comes, and leaves the stream to whoever throws the rest away', async () => {
    const stream = open()
    stream.push(chunk)
    stream.push(chunk)
    await expect(readBody(stream, undefined, 10)).rejects.toMatchObject({ errcode: 'M_TOO_LARGE' })
    expect(stream.destroyed).toBe(false)
    const ended = new Promise((resolve) => stream.once('end', resolve))
    stream.push(null)
    stream.resume()
    await ended
    expect(stream.listenerCount('data')).toBe(0)
  })
})

describe('a transaction of another server', () => {
  it('may carry 50 events and 100 other messages, each as large as they may be and with hundreds of members', async () => {
    const content = Object.fromEntries(
      Array.from({ length: 500 }, (_, i) => [`@somebody${i}:ministry.example`, 'x'.repeat(90)]),
    )
    const item = {
      type: 'm.some.type',
      content,
      origin_server_ts: 1,
      auth_events: ['$a'],
      prev_events: ['$b'],
    }
    const body = Buffer.from(
      JSON.stringify({
        pdus: Array.from({ length: 50 }, () => item),
        edus: Array.from({ length: 100 }, () => ({ edu_type: 'm.x', content: { text: 'x'.repeat(65_000) } })),
      }),
    )
    expect(body.byteLength).toBeGreaterThan(9_000_000)
    const stream = Readable.from([body.subarray(0, 1_000_000), body.subarray(1_000_000)])
    const { maxBody, maxValues } = sendTransaction
    const bytes = await readBody(stream, String(body.byteLength), maxBody!, maxValues)
    expect(Buffer.compare(bytes, body)).toBe(0)
  })
})
