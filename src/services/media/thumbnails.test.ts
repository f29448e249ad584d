import { rm, writeFile } from 'node:fs/promises'
import { afterEach, describe, expect, it } from '@jest/globals'
import { manualClock } from '../../platform/clock.js'
import type { ThumbnailFault } from './thumbnailer.js'
import {
  AS_USER,
  bytesOf,
  openMediaBench,
  remoteParts,
  TEST_SERVER,
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
const crop = { width: 32, height: 32, method: 'crop', animated: false } as const

describe('thumbnails', () => {
  it('are made once, for however many ask, and kept', async () => {
    const { media, upload, rendered } = await bench()
    const id = await upload('picture')
    const get = () => media.thumbnail(TEST_SERVER, id, crop, AS_USER)
    const all = await Promise.all(Array.from({ length: 10 }, get))
    expect(new Set(await Promise.all(all.map(bytesOf)))).toEqual(new Set(['32x32 crop']))
    expect(await get()).toMatchObject({ contentType: 'image/png', fileName: 'thumbnail.png', size: 10 })
    expect(rendered).toHaveLength(1)
  })

  it('of 10,000 sizes are a handful of files', async () => {
    const { media, upload, rendered, files } = await bench()
    const id = await upload('picture')
    for (let i = 1; i <= 500; i++) {
      const asked = { ...crop, width: i * 16, height: (i * 37) % 800 || 1 }
      await media.thumbnail(TEST_SERVER, id, asked, AS_USER)
    }
    expect(rendered.length).toBeLessThanOrEqual(6)
    expect((await files()).blobs.length).toBeLessThanOrEqual(7)
  })

  it('of free sizes are bounded for each picture, and prepared ones still made after that', async () => {
    const { media, upload, rendered } = await bench({ dynamicThumbnails: true })
    const id = await upload('picture')
    for (const method of ['scale', 'crop'] as const) {
      for (let width = 900; width <= 8192; width += 600) {
        for (let height = 10; height <= 8192; height = Math.ceil(height * 1.6)) {
          await media.thumbnail(TEST_SERVER, id, { ...crop, method, width, height }, AS_USER)
        }
      }
    }
    const made = rendered.length
    expect(made).toBeGreaterThan(50)
    expect(made).toBeLessThanOrEqual(64 + 6)
    await media.thumbnail(TEST_SERVER, id, crop, AS_USER)
    expect(rendered).toHaveLength(made + 1)
  })

  it('are never asked of impossible sizes', async () => {
    const { media, upload, rendered } = await bench({ dynamicThumbnails: true })
    const id = await upload('picture')
    for (const side of [0, -1, 1e9, NaN]) {
      for (const asked of [
        { ...crop, width: side },
        { ...crop, height: side },
      ]) {
        await expect(media.thumbnail(TEST_SERVER, id, asked, AS_USER)).rejects.toEqual(
          errcode('M_INVALID_PARAM'),
        )
      }
    }
    expect(rendered).toEqual([])
  })

  it('move for pictures that may move, and count as the same for others', async () => {
    const { media, upload, rendered } = await bench()
    for (const [contentType, makes] of [
      ['image/gif', 2],
      ['image/jpeg', 1],
    ] as const) {
      const id = await upload(`picture ${contentType}`, { contentType })
      rendered.length = 0
      for (const animated of [true, false]) {
        await media.thumbnail(TEST_SERVER, id, { ...crop, animated }, AS_USER)
      }
      expect(rendered.map((job) => job.animated)).toEqual(makes === 2 ? [true, false] : [false])
    }
  })

  it.each(['image/svg+xml', 'text/html', 'application/octet-stream', 'application/pdf', 'image/tiff'])(
    'are not made of %s',
    async (contentType) => {
      const { media, upload, rendered } = await bench()
      const id = await upload('<svg/>', { contentType })
      await expect(media.thumbnail(TEST_SERVER, id, crop, AS_USER)).rejects.toEqual(errcode('M_UNKNOWN', 400))
      expect(rendered).toEqual([])
    },
  )

  it.each<[ThumbnailFault, string, number | undefined, number]>([
    ['too-large', 'M_TOO_LARGE', 400, 1],
    ['undecodable', 'M_UNKNOWN', 400, 1],
    ['timeout', 'M_UNKNOWN', 400, 1],
    ['crashed', 'M_UNKNOWN', 400, 1],
    ['busy', 'M_LIMIT_EXCEEDED', undefined, 3],
  ])(
    'that end with %s are %s, leave nothing, and are tried again later',
    async (fault, code, status, tries) => {
      const clock = manualClock()
      const { media, upload, rendered, files } = await bench({
        clock,
        async render(job) {
          await writeFile(job.target, 'half')
          return { ok: false, fault }
        },
      })
      const id = await upload('bomb')
      const get = () => media.thumbnail(TEST_SERVER, id, crop, AS_USER)
      for (let i = 0; i < 3; i++) await expect(get()).rejects.toEqual(errcode(code, status))
      expect(rendered).toHaveLength(tries)
      expect(await files()).toMatchObject({ tmp: [], blobs: [expect.any(String)] })
      clock.advance(3_600_000)
      await expect(get()).rejects.toEqual(errcode(code, status))
      expect(rendered).toHaveLength(tries + 1)
    },
  )

  it('of another server’s pictures are made here', async () => {
    const { media, asked, rendered } = await bench({ fetchRemote: async () => remoteParts('picture') })
    await media.thumbnail('other.example', 'abc', crop, AS_USER)
    expect(asked).toHaveLength(1)
    expect(asked[0]).toContain('/media/download/abc')
    expect(rendered).toHaveLength(1)
  })

  it('are made again when their file was lost, and go with their picture', async () => {
    const { media, upload, rendered, files, folder } = await bench()
    const id = await upload('picture')
    const get = () => media.thumbnail(TEST_SERVER, id, crop, AS_USER)
    const { sha256 } = await get()
    await rm(`${folder}/blobs/${sha256.slice(0, 2)}/${sha256.slice(2, 4)}/${sha256}`)
    await expect((await get()).open()).rejects.toEqual(errcode('M_NOT_FOUND'))
    expect(await bytesOf(await get())).toBe('32x32 crop')
    expect(rendered).toHaveLength(2)
    await media.remove(TEST_SERVER, id)
    await media.sweep()
    expect((await files()).blobs).toEqual([])
  })
})
