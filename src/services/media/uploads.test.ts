import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { afterEach, describe, expect, it } from '@jest/globals'
import { MatrixError } from '../../core/errors.js'
import { manualClock } from '../../platform/clock.js'
import { StorageError } from '../../storage/errors.js'
import { mediaById } from '../../storage/tables/media.js'
import type { Store } from '../../storage/tx.js'
import {
  ALICE,
  AS_USER,
  BOB,
  bytesOf,
  openMediaBench,
  TEST_SERVER,
  uploadOf,
  type MediaBench,
  type MediaBenchOptions,
} from './testing.js'

const benches: MediaBench[] = []
async function bench(options: MediaBenchOptions = {}): Promise<MediaBench> {
  const opened = await openMediaBench(options)
  benches.push(opened)
  return opened
}
afterEach(async () => {
  for (const opened of benches.splice(0)) await opened.close()
})

const errcode = (code: string, status?: number) =>
  expect.objectContaining({ errcode: code, ...(status === undefined ? {} : { status }) })
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const EMPTY = { blobs: [], tmp: [], trash: [] }

describe('an upload', () => {
  it('comes back as it went in, with its type and name', async () => {
    const { media, upload, files } = await bench()
    const id = await upload('hello', { contentType: 'text/plain', fileName: 'é.txt' })
    const file = await media.download(TEST_SERVER, id, AS_USER)
    expect(file).toMatchObject({ contentType: 'text/plain', fileName: 'é.txt', size: 5 })
    expect(await bytesOf(file)).toBe('hello')
    expect(await files()).toEqual({ ...EMPTY, blobs: [sha256('hello')] })
    expect(id).toMatch(/^[A-Za-z0-9]{24}$/)
  })

  it('may be empty', async () => {
    const { media, upload } = await bench()
    const file = await media.download(TEST_SERVER, await upload(''), AS_USER)
    expect(file.size).toBe(0)
    expect(await bytesOf(file)).toBe('')
  })

  it('that says it is too large is refused before a byte is read', async () => {
    const { media, files } = await bench()
    let read = 0
    async function* body() {
      read++
      yield Buffer.from('x')
    }
    const request = uploadOf('', { body: Readable.from(body()), declaredLength: '100001' })
    await expect(media.upload(request)).rejects.toEqual(errcode('M_TOO_LARGE'))
    expect(read).toBe(0)
    expect(await files()).toEqual(EMPTY)
  })

  it('of unknown length is refused at the byte that is too much, and not read further', async () => {
    const { media, files } = await bench()
    let sent = 0
    async function* endless() {
      for (;;) {
        sent += 10_000
        yield Buffer.alloc(10_000)
      }
    }
    const body = Readable.from(endless(), { highWaterMark: 1 })
    await expect(media.upload(uploadOf('', { body }))).rejects.toEqual(errcode('M_TOO_LARGE'))
    expect(sent).toBeLessThan(150_000)
    expect(body.destroyed).toBe(false)
    expect(await files()).toEqual(EMPTY)
  })

  it('of exactly the largest size is accepted, whatever length it claims', async () => {
    const { upload } = await bench()
    await upload(Buffer.alloc(100_000), { declaredLength: '5' })
    await upload(Buffer.alloc(99_999), { declaredLength: 'nonsense' })
  })

  it('that is cut off leaves nothing', async () => {
    const { media, files } = await bench()
    async function* body() {
      yield Buffer.from('half')
      throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' })
    }
    await expect(media.upload(uploadOf('', { body: Readable.from(body()) }))).rejects.toEqual(
      errcode('M_UNKNOWN', 400),
    )
    expect(await files()).toEqual(EMPTY)
  })

  it('of which nothing more arrives is given up', async () => {
    const { media, files } = await bench({ uploadIdleMs: 30 })
    const body = new Readable({ read: () => undefined })
    body.push('half')
    await expect(media.upload(uploadOf('', { body }))).rejects.toEqual(errcode('M_UNKNOWN', 408))
    expect(await files()).toEqual(EMPTY)
    body.destroy()
  })

  it('whose row cannot be written leaves no file', async () => {
    let full = true
    const { media, upload, files } = await bench({
      store: (store: Store) => ({
        ...store,
        write: (label, body) =>
          full && label === 'media.upload'
            ? Promise.reject(new StorageError('full', 'the disk is full'))
            : store.write(label, body),
      }),
    })
    await expect(media.upload(uploadOf('hello'))).rejects.toEqual(errcode('M_UNKNOWN', 507))
    expect(await files()).toEqual(EMPTY)
    full = false
    const id = await upload('hello')
    full = true
    // The same bytes are somebody's by now: a failure must not take them away.
    await expect(media.upload(uploadOf('hello'))).rejects.toEqual(errcode('M_UNKNOWN', 507))
    expect(await bytesOf(await media.download(TEST_SERVER, id, AS_USER))).toBe('hello')
  })

  it('of the same bytes by many at once takes one file', async () => {
    const { media, upload, files } = await bench()
    const ids = await Promise.all(Array.from({ length: 20 }, () => upload('same')))
    expect(new Set(ids).size).toBe(20)
    expect(await files()).toEqual({ ...EMPTY, blobs: [sha256('same')] })
    for (const id of ids.slice(1)) await media.remove(TEST_SERVER, id)
    expect(await bytesOf(await media.download(TEST_SERVER, ids[0]!, AS_USER))).toBe('same')
    expect(await media.remove(TEST_SERVER, ids[0]!)).toBe(true)
    expect(await media.remove(TEST_SERVER, ids[0]!)).toBe(false)
    expect(await files()).toEqual(EMPTY)
  })
})

describe('a quota', () => {
  it('is for the user alone, in bytes and in files', async () => {
    const { media, upload } = await bench({
      quotaOf: (userId) => Promise.resolve(userId === ALICE ? { bytes: 10, files: 2 } : undefined),
    })
    await upload('12345678')
    await expect(upload('abc')).rejects.toEqual(errcode('M_FORBIDDEN'))
    await upload('90')
    await expect(upload('')).rejects.toEqual(errcode('M_FORBIDDEN'))
    await media.upload(uploadOf('x'.repeat(1000), { userId: BOB }))
  })

  it('is not passed by many uploads at once, and what was refused leaves no file', async () => {
    const { upload, files } = await bench({ quotaOf: () => Promise.resolve({ bytes: 10 }) })
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, (_, i) => upload(`${i}`.padEnd(4, '-'))),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2)
    const { blobs, tmp } = await files()
    expect([blobs.length, tmp.length]).toEqual([2, 0])
  })
})

describe('an announced upload', () => {
  /** Without being woken, whoever waits looks again after a second. */
  const LOOK_MS = 900
  /** On a busy machine one of several attempts has to be quick. */
  async function quickest(attempt: () => Promise<number>): Promise<number> {
    let best = Infinity
    for (let tried = 0; tried < 5 && best >= LOOK_MS; tried++) best = Math.min(best, await attempt())
    return best
  }
  const idOf = (uri: string): string => uri.slice(`mxc://${TEST_SERVER}/`.length)

  it('is waited for, and given as soon as it arrives', async () => {
    const { media } = await bench()
    const given = async (): Promise<number> => {
      const id = idOf((await media.create(ALICE)).contentUri)
      const waiting = media.download(TEST_SERVER, id, { ...AS_USER, timeoutMs: 10_000 })
      await new Promise((resolve) => setTimeout(resolve, 50))
      const started = performance.now()
      await media.uploadTo(TEST_SERVER, id, uploadOf('late', { fileName: 'a.png' }))
      expect(await bytesOf(await waiting)).toBe('late')
      return performance.now() - started
    }
    expect(await quickest(given)).toBeLessThan(LOOK_MS)
  })

  it('is found even when another process took it', async () => {
    const { media, store } = await bench()
    const id = idOf((await media.create(ALICE)).contentUri)
    const other = await bench({ store: () => store })
    const waiting = media.download(TEST_SERVER, id, { ...AS_USER, timeoutMs: 10_000 })
    await other.media.uploadTo(TEST_SERVER, id, uploadOf('late'))
    expect((await waiting).size).toBe(4)
  })

  it('that does not arrive in time is M_NOT_YET_UPLOADED, at once when the client hangs up', async () => {
    const { media } = await bench()
    const id = idOf((await media.create(ALICE)).contentUri)
    for (const timeoutMs of [0, 30]) {
      await expect(media.download(TEST_SERVER, id, { ...AS_USER, timeoutMs })).rejects.toEqual(
        errcode('M_NOT_YET_UPLOADED'),
      )
    }
    const hungUp = async (): Promise<number> => {
      const started = performance.now()
      const signal = AbortSignal.timeout(20)
      const waiting = media.download(TEST_SERVER, id, { ...AS_USER, timeoutMs: 20_000, signal })
      await expect(waiting).rejects.toEqual(errcode('M_NOT_YET_UPLOADED'))
      return performance.now() - started
    }
    expect(await quickest(hungUp)).toBeLessThan(LOOK_MS)
  })

  it('is its announcer’s, and can be made once', async () => {
    const { media } = await bench()
    const id = idOf((await media.create(ALICE)).contentUri)
    const put = (text: string, userId = ALICE) => media.uploadTo(TEST_SERVER, id, uploadOf(text, { userId }))
    await expect(put('x', BOB)).rejects.toEqual(errcode('M_FORBIDDEN'))
    const outcomes = await Promise.allSettled([put('a'), put('b'), put('c')])
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') {
        expect(outcome.reason).toEqual(errcode('M_CANNOT_OVERWRITE_MEDIA'))
      }
    }
    await expect(put('again')).rejects.toEqual(errcode('M_CANNOT_OVERWRITE_MEDIA'))
  })

  it('is unknown when it was never announced here', async () => {
    const { media } = await bench()
    for (const [origin, id] of [
      [TEST_SERVER, 'nothing'],
      ['other.example', 'nothing'],
    ] as const) {
      await expect(media.uploadTo(origin, id, uploadOf('x'))).rejects.toEqual(errcode('M_NOT_FOUND'))
    }
  })

  it('expires, and is then forgotten', async () => {
    const clock = manualClock()
    const { media, store } = await bench({ clock, unusedExpiresMs: 1000 })
    const { contentUri, expiresTs } = await media.create(ALICE)
    expect(expiresTs).toBe(clock.now() + 1000)
    const id = idOf(contentUri)
    expect(await media.expireAnnounced()).toBe(0)
    clock.advance(1000)
    await expect(media.uploadTo(TEST_SERVER, id, uploadOf('x'))).rejects.toEqual(errcode('M_NOT_FOUND'))
    await expect(media.download(TEST_SERVER, id, AS_USER)).rejects.toEqual(errcode('M_NOT_FOUND'))
    expect(await media.expireAnnounced()).toBe(1)
    expect(await store.read('test', () => mediaById(TEST_SERVER, id))).toBeUndefined()
  })

  it('is one of a few that a user may leave open', async () => {
    const clock = manualClock()
    const { media } = await bench({ clock, maxAnnouncedPerUser: 2, unusedExpiresMs: 1000 })
    const first = idOf((await media.create(ALICE)).contentUri)
    await media.create(ALICE)
    await expect(media.create(ALICE)).rejects.toEqual(errcode('M_LIMIT_EXCEEDED'))
    await media.create(BOB)
    await media.uploadTo(TEST_SERVER, first, uploadOf('x'))
    await media.create(ALICE)
    await expect(media.create(ALICE)).rejects.toBeInstanceOf(MatrixError)
    clock.advance(1000)
    await media.create(ALICE)
  })
})
