import { rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, it } from '@jest/globals'
import { manualClock } from '../../platform/clock.js'
import { insertMedia, mediaById } from '../../storage/tables/media.js'
import { all } from '../../storage/tx.js'
import type { MediaAccess } from './media.js'
import type { RemoteAnswer } from './remote-answer.js'
import {
  AS_USER,
  bytesOf,
  matrixError,
  openMediaBench,
  remoteAnswer,
  remoteParts,
  TEST_SERVER,
  uploadOf,
  type MediaBench,
  type MediaBenchOptions,
} from './testing.js'

const benches: MediaBench[] = []
/** A store whose other server gives these answers, one after the other, the last one for ever. */
async function bench(
  answers: readonly (() => RemoteAnswer | Promise<RemoteAnswer>)[],
  options: MediaBenchOptions = {},
): Promise<MediaBench> {
  let next = 0
  const opened = await openMediaBench({
    fetchRemote: async () => answers[Math.min(next++, answers.length - 1)]!(),
    ...options,
  })
  benches.push(opened)
  return opened
}
afterEach(async () => {
  for (const opened of benches.splice(0)) await opened.close()
})

const OTHER = 'other.example:8448'
const errcode = (code: string, status?: number) =>
  expect.objectContaining({ errcode: code, ...(status === undefined ? {} : { status }) })
const NOTHING = { blobs: [], tmp: [], trash: [] }
const get = ({ media }: MediaBench, access: MediaAccess = AS_USER) => media.download(OTHER, 'abc', access)

describe('media of another server', () => {
  it('are fetched once for everyone who asks meanwhile, and then kept', async () => {
    const answer = async () => {
      await delay(20)
      return remoteParts(
        'picture',
        'Content-Type: image/gif\r\nContent-Disposition: inline; filename="a.gif"',
      )
    }
    const opened = await bench([answer])
    const files = await Promise.all(Array.from({ length: 10 }, () => get(opened)))
    for (const file of files) {
      expect(file).toMatchObject({ contentType: 'image/gif', fileName: 'a.gif', size: 7 })
      expect(await bytesOf(file)).toBe('picture')
    }
    await get(opened)
    expect(opened.asked).toEqual([`${OTHER}/_matrix/federation/v1/media/download/abc?timeout_ms=20000`])
  })

  it('come from the old endpoint when the other server does not know the new one', async () => {
    const old = () =>
      remoteAnswer(200, { 'content-type': 'text/plain', 'content-disposition': "attachment; filename*=utf-8''%C3%A9" }, 'old') // prettier-ignore
    for (const unknown of [
      () => matrixError(404, 'M_UNRECOGNIZED'),
      () => matrixError(400, 'M_UNRECOGNIZED'),
      () => remoteAnswer(404, { 'content-type': 'text/html' }, '404 page not found'),
    ]) {
      const opened = await bench([unknown, old])
      expect(await get(opened)).toMatchObject({ contentType: 'text/plain', fileName: 'é', size: 3 })
      expect(opened.asked[1]).toBe(
        `${OTHER}/_matrix/media/v3/download/other.example%3A8448/abc?allow_remote=false&allow_redirect=false&timeout_ms=20000`,
      )
    }
  })

  it('that do not exist there are not asked for on the old endpoint, nor again at once', async () => {
    const clock = manualClock()
    const opened = await bench([() => matrixError(404, 'M_NOT_FOUND')], { clock })
    for (let i = 0; i < 3; i++) await expect(get(opened)).rejects.toEqual(errcode('M_NOT_FOUND'))
    expect(opened.asked).toHaveLength(1)
    clock.advance(60_000)
    await expect(get(opened)).rejects.toEqual(errcode('M_NOT_FOUND'))
    expect(opened.asked).toHaveLength(2)
  })

  it.each<[string, () => RemoteAnswer, object]>([
    ['too large by its own word', () => remoteAnswer(200, { 'content-type': 'multipart/mixed; boundary=x', 'content-length': '9999999' }, ''), errcode('M_TOO_LARGE', 502)],
    ['too large', () => remoteParts('x'.repeat(50_001)), errcode('M_TOO_LARGE', 502)],
    ['too large, says the other', () => matrixError(413, 'M_TOO_LARGE'), errcode('M_TOO_LARGE', 502)],
    ['not uploaded yet', () => matrixError(504, 'M_NOT_YET_UPLOADED'), errcode('M_NOT_YET_UPLOADED')],
    ['two files', () => remoteParts('a\r\n--x\r\nContent-Type: image/png\r\n\r\nb'), errcode('M_UNKNOWN', 502)],
    ['cut off', () => remoteAnswer(200, { 'content-type': 'multipart/mixed; boundary=x' }, '--x\r\nContent-Type: application/json\r\n\r\n{}\r\n--x\r\n\r\nhalf'), errcode('M_UNKNOWN', 502)],
    ['without parts', () => remoteAnswer(200, { 'content-type': 'image/png' }, 'picture'), errcode('M_UNKNOWN', 502)],
    ['compressed', () => remoteAnswer(200, { 'content-type': 'multipart/mixed; boundary=x', 'content-encoding': 'gzip' }, ''), errcode('M_UNKNOWN', 502)],
    ['redirected', () => remoteAnswer(307, { location: 'https://10.0.0.1/' }, ''), errcode('M_UNKNOWN', 502)],
    ['an error', () => remoteAnswer(500, {}, 'oops'), errcode('M_UNKNOWN', 502)],
    ['an endless error', () => remoteAnswer(403, {}, (async function* () { for (;;) yield Buffer.alloc(1000) })()), errcode('M_UNKNOWN', 502)],
    ['forbidden', () => matrixError(403, 'M_FORBIDDEN'), errcode('M_UNKNOWN', 502)],
    ['elsewhere, on a private address', () => remoteParts('', 'Location: https://192.168.0.1/x'), errcode('M_UNKNOWN', 502)],
    ['elsewhere, in the clear', () => remoteParts('', 'Location: http://cdn.example.org/x'), errcode('M_UNKNOWN', 502)],
    ['elsewhere, which is not fetched here', () => remoteParts('', 'Location: https://cdn.example.org/x'), errcode('M_UNKNOWN', 502)],
  ])('%s: refused, and nothing is stored', async (_, answer, error) => {
    const opened = await bench([answer])
    await expect(get(opened)).rejects.toEqual(error)
    expect(opened.asked).toHaveLength(1)
    expect(await opened.files()).toEqual(NOTHING)
    expect(await opened.store.read('test', () => mediaById(OTHER, 'abc'))).toBeUndefined()
  }) // prettier-ignore

  it('of a server that cannot be reached are 502', async () => {
    const opened = await bench([() => Promise.reject(new Error('ECONNREFUSED'))])
    await expect(get(opened)).rejects.toEqual(errcode('M_UNKNOWN', 502))
  })

  it('that trickle in are given up in time', async () => {
    async function* slow() {
      yield Buffer.from('--x\r\nContent-Type: application/json\r\n\r\n{}\r\n--x\r\n\r\n')
      for (;;) {
        await delay(5)
        yield Buffer.from('.')
      }
    }
    const opened = await bench(
      [() => remoteAnswer(200, { 'content-type': 'multipart/mixed; boundary=x' }, slow())],
      { remoteTimeoutMs: 100 },
    )
    await expect(get(opened)).rejects.toEqual(errcode('M_UNKNOWN', 504))
    expect(await opened.files()).toEqual(NOTHING)
  })

  it('that lie elsewhere are fetched from there, without following redirects', async () => {
    const urls: string[] = []
    const there = (status: number) => async (url: URL) => {
      urls.push(url.href)
      return remoteAnswer(status, { 'content-type': 'image/webp', location: 'https://cdn.example.org/y' }, 'far') // prettier-ignore
    }
    const moved = () => remoteParts('ignored', 'Location: https://cdn.example.org/x?sig=1')
    const opened = await bench([moved], { fetchUrl: there(200) })
    expect(await get(opened)).toMatchObject({ contentType: 'image/webp', size: 3 })
    const looping = await bench([moved], { fetchUrl: there(302) })
    await expect(get(looping)).rejects.toEqual(errcode('M_UNKNOWN', 502))
    expect(urls).toEqual(['https://cdn.example.org/x?sig=1', 'https://cdn.example.org/x?sig=1'])
  })

  it('whose file was lost are fetched again', async () => {
    const opened = await bench([() => remoteParts('picture')])
    const file = await get(opened)
    await opened.media.download(OTHER, 'abc', AS_USER)
    await rm(`${opened.folder}/blobs`, { recursive: true })
    await expect(file.open()).rejects.toEqual(errcode('M_NOT_FOUND'))
    expect(await bytesOf(await get(opened))).toBe('picture')
    expect(opened.asked).toHaveLength(2)
  })

  it('are evicted when unused, or when they are too many', async () => {
    const clock = manualClock()
    const opened = await bench([() => remoteParts('x'.repeat(1000)), () => remoteParts('y'.repeat(1000)), () => remoteParts('z'.repeat(1000))], {
      clock,
      remoteCacheMs: 10_000_000,
      remoteCacheBytes: 1500,
    }) // prettier-ignore
    await opened.upload('ours')
    for (const id of ['one', 'two', 'three']) {
      await opened.media.download(OTHER, id, AS_USER)
      clock.advance(1000)
    }
    expect(await opened.media.evictRemote()).toBe(2)
    expect((await opened.files()).blobs).toHaveLength(2)
    await opened.media.download(OTHER, 'three', AS_USER)
    expect(opened.asked).toHaveLength(3)
    clock.advance(10_000_000)
    expect(await opened.media.evictRemote()).toBe(1)
    expect((await opened.files()).blobs).toHaveLength(1)
  })
})

describe('evicting', () => {
  it('keeps exactly the last used that fit, however many there are', async () => {
    const clock = manualClock()
    const opened = await bench([], { clock, remoteCacheBytes: 1200 })
    await opened.upload('ours')
    await opened.store.write('test', function* () {
      for (let i = 0; i < 2500; i++) {
        yield* insertMedia({
          origin: OTHER,
          media_id: `m${i}`,
          user_id: null,
          sha256: i.toString(16).padStart(64, '0'),
          size: 1,
          content_type: 'image/png',
          file_name: null,
          created_ts: 0,
          expires_ts: null,
          // Many used in the same instant: pages must neither skip nor count twice.
          last_access_ts: Math.floor(i / 700),
        })
      }
    })
    expect(await opened.media.evictRemote()).toBe(1300)
    expect(await opened.media.evictRemote()).toBe(0)
    const left = await opened.store.read('test', () =>
      all<{ media_id: string; last_access_ts: number }>(
        'SELECT media_id, last_access_ts FROM media WHERE user_id IS NULL',
      ),
    )
    expect(left).toHaveLength(1200)
    expect(Math.min(...left.map((row) => row.last_access_ts))).toBe(1)
  })
})

describe('a request without a token', () => {
  const anonymous: MediaAccess = { ...AS_USER, by: 'anonymous' }

  it('never has anything fetched, whatever the configuration', async () => {
    for (const legacyUnauthenticated of ['off', 'local-only', 'on'] as const) {
      const opened = await bench([() => remoteParts('x')], { legacyUnauthenticated })
      await expect(get(opened, anonymous)).rejects.toEqual(errcode('M_NOT_FOUND'))
      expect(opened.asked).toEqual([])
    }
  })

  it.each([
    ['off', false, false],
    ['local-only', true, false],
    ['on', true, true],
  ] as const)('with legacy media %s gets own media: %s, kept ones: %s', async (mode, own, kept) => {
    const opened = await bench([() => remoteParts('x')], { legacyUnauthenticated: mode })
    const id = await opened.upload('ours')
    await get(opened)
    const outcome = (promise: Promise<unknown>) =>
      promise.then(
        () => true,
        () => false,
      )
    expect(await outcome(opened.media.download(TEST_SERVER, id, anonymous))).toBe(own)
    expect(await outcome(get(opened, anonymous))).toBe(kept)
  })

  it('gets what was there before the freeze, and nothing later', async () => {
    const clock = manualClock()
    const legacyFreezeTs = clock.now() + 1000
    const { media, upload } = await bench([], { clock, legacyUnauthenticated: 'on', legacyFreezeTs })
    const before = await upload('old')
    const announced = (await media.create('@alice:ministry.example')).contentUri.split('/')[3]!
    clock.advance(1000)
    const after = await upload('old')
    await media.download(TEST_SERVER, before, anonymous)
    await expect(media.download(TEST_SERVER, after, anonymous)).rejects.toEqual(errcode('M_NOT_FOUND'))
    await media.uploadTo(TEST_SERVER, announced, uploadOf('new'))
    await expect(media.download(TEST_SERVER, announced, anonymous)).rejects.toEqual(errcode('M_NOT_FOUND'))
  })
})

describe('another server', () => {
  it('gets this server’s media only', async () => {
    const opened = await bench([() => remoteParts('x')])
    await get(opened)
    const access: MediaAccess = { ...AS_USER, by: 'server' }
    await expect(get(opened, access)).rejects.toEqual(errcode('M_NOT_FOUND'))
    await opened.media.download(TEST_SERVER, await opened.upload('ours'), access)
  })
})

describe('names that are none', () => {
  it.each([
    ['../../etc', 'passwd'],
    ['other.example', '..'],
    ['other.example', '../x'],
    ['other.example', 'a%2fb'],
    ['other.example', 'a/b'],
    ['other.example', 'a\u0000'],
    ['other.example', ''],
    ['other.example', 'a'.repeat(256)],
    ['other.example/x', 'a'],
    ['a@other.example', 'a'],
    ['', 'a'],
    ['[::1]:99999', 'a'],
  ])('%j / %j is refused before anything is looked up', async (origin, id) => {
    const opened = await bench([() => remoteParts('x')], { legacyUnauthenticated: 'on' })
    for (const by of ['user', 'anonymous', 'server'] as const) {
      await expect(opened.media.download(origin, id, { ...AS_USER, by })).rejects.toEqual(
        errcode('M_INVALID_PARAM'),
      )
    }
    expect(opened.asked).toEqual([])
  })
})
