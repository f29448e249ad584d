import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { ClamdError, createClamd, parseReply } from './clamd.js'
import { EICAR, startFakeClamd, type FakeClamd } from './testing-clamd.js'

const NEVER = new AbortController().signal
const stream = (...pieces: (string | Buffer)[]): Readable =>
  Readable.from(
    pieces.map((piece) => Buffer.from(piece)),
    { objectMode: false },
  )

describe('a client of clamd', () => {
  let fake: FakeClamd
  beforeEach(async () => {
    fake = await startFakeClamd()
  })
  afterEach(() => fake.close())
  const scan = (bytes: AsyncIterable<Uint8Array>, signal = NEVER) =>
    createClamd({ path: fake.path }).scan(bytes, signal)

  it('hands over all bytes in frames, and tells what was found', async () => {
    const large = Buffer.alloc(1_000_000, 'a')
    expect(await scan(stream('one ', large, ' two'))).toEqual({ kind: 'ok' })
    expect(fake.scans[0]!.equals(Buffer.concat([Buffer.from('one '), large, Buffer.from(' two')]))).toBe(true)
    expect(await scan(stream('x', EICAR))).toEqual({ kind: 'found', signature: 'Eicar-Test' })
    expect(await scan(stream())).toEqual({ kind: 'ok' })
  })

  it('tells that a file is too large though clamd hangs up before it has all of it', async () => {
    fake.limit = 1_000
    expect(await scan(stream(...Array.from({ length: 400 }, () => Buffer.alloc(65_536))))).toEqual({
      kind: 'too-large',
    })
  })

  it.each(['hangs-up', 'hasty', 'torn', 'endless'] as const)(
    'takes no answer of a clamd that is %s for clean',
    async (mood) => {
      fake.mood = mood
      await expect(scan(stream(...Array.from({ length: 50 }, () => Buffer.alloc(65_536))))).rejects.toThrow(
        ClamdError,
      )
    },
  )

  it('takes an error of clamd for no verdict', async () => {
    fake.mood = 'broken'
    expect(await scan(stream('x'))).toMatchObject({ kind: 'refused' })
    for (const text of ['', 'OK', 'stream: ok', 'stream: OK FOUND ERROR', 'COMMAND READ TIMED OUT'])
      expect(parseReply(text).kind).toBe('refused')
  })

  it('stops at once when its caller does, and leaves no connection open', async () => {
    fake.mood = 'silent'
    const given = new AbortController()
    const waiting = scan(stream('x'), given.signal)
    given.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
  })

  it('says that nobody listens', async () => {
    await expect(createClamd({ path: `${fake.path}.not` }).version(NEVER)).rejects.toThrow(ClamdError)
  })

  it('tells an error of the file from one of clamd', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('x')
      await Promise.resolve()
      throw new Error('the disk is gone')
    }
    await expect(scan(broken())).rejects.toThrow('the disk is gone')
  })

  it('asks for the version', async () => {
    expect(await createClamd({ path: fake.path }).version(NEVER)).toBe('ClamAV 1.4.6/1')
  })
})
