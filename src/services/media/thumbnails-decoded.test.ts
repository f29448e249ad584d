import { afterEach, describe, expect, it } from '@jest/globals'
import sharp from 'sharp'
import { silentLogger } from '../../platform/logger.js'
import { createThumbnailPool } from '../../workers/thumbnail-pool.js'
import { AS_USER, openMediaBench, TEST_SERVER } from './testing.js'

const pool = createThumbnailPool({
  logger: silentLogger,
  options: {
    program: new URL('../../workers/thumbnail-process.ts', import.meta.url),
    nodeOptions: ['--import', new URL('../../workers/typescript-hooks.mjs', import.meta.url).href],
  },
})
afterEach(() => pool.close())

describe('a thumbnail from a process of its own', () => {
  it('has the size that was asked for, and a broken picture is 400', async () => {
    const bench = await openMediaBench({
      dynamicThumbnails: true,
      render: (job) => pool.render(job),
    })
    const { media, upload, files } = bench
    try {
      const picture = await sharp({ create: { width: 900, height: 700, channels: 3, background: 'red' } })
        .jpeg()
        .toBuffer()
      const id = await upload(picture, { contentType: 'image/jpeg' })
      const asked = { width: 128, height: 128, method: 'crop', animated: false } as const
      const file = await media.thumbnail(TEST_SERVER, id, asked, AS_USER)
      const bytes = Buffer.concat(await (await file.open()).toArray())
      expect(bytes.length).toBe(file.size)
      expect(await sharp(bytes).metadata()).toMatchObject({ width: 128, height: 128, format: 'jpeg' })

      const broken = await upload(picture.subarray(0, 300), { contentType: 'image/jpeg' })
      await expect(media.thumbnail(TEST_SERVER, broken, asked, AS_USER)).rejects.toEqual(
        expect.objectContaining({ errcode: 'M_UNKNOWN', status: 400 }),
      )
      expect((await files()).tmp).toEqual([])
    } finally {
      await bench.close()
    }
  })
})
