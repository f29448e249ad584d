import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateSync, crc32 } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import sharp from 'sharp'
import { silentLogger } from '../platform/logger.js'
import { createThumbnailPool, type ThumbnailPool } from './thumbnail-pool.js'

const source = {
  program: new URL('./thumbnail-process.ts', import.meta.url),
  nodeOptions: ['--import', new URL('./typescript-hooks.mjs', import.meta.url).href],
}

let folder: string
const pools: ThumbnailPool[] = []
let shared: ThumbnailPool

function pool(options: object = {}): ThumbnailPool {
  const made = createThumbnailPool({ logger: silentLogger, options: { ...source, ...options } })
  pools.push(made)
  return made
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chancery-thumbnails-'))
  shared = createThumbnailPool({ logger: silentLogger, options: source })
})
afterEach(async () => {
  for (const made of pools.splice(0)) await made.close()
})
afterAll(async () => {
  await shared.close()
  await rm(folder, { recursive: true, force: true })
})

let files = 0
async function picture(bytes: Uint8Array): Promise<{ source: string; target: string }> {
  files++
  const path = join(folder, `in-${files}`)
  await writeFile(path, bytes)
  return { source: path, target: join(folder, `out-${files}`) }
}

const plain = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: 'red' } })

const box = { width: 32, height: 32, method: 'crop', animated: false, maxPixels: 50_000_000 } as const

/** A PNG that says it is enormous, in a few hundred bytes. */
function pngBomb(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
    const out = Buffer.alloc(body.length + 8)
    out.writeUInt32BE(data.length, 0)
    body.copy(out, 4)
    out.writeUInt32BE(crc32(body), body.length + 4)
    return out
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  head[8] = 1
  const line = Buffer.alloc(1 + Math.ceil(width / 8))
  const rows = deflateSync(Buffer.concat(Array.from({ length: 200 }, () => line)))
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', head),
    chunk('IDAT', rows),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

/** A GIF of many tiny frames, written by hand: encoders refuse so many. */
function gifOfFrames(count: number): Buffer {
  const head = Buffer.from('GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff', 'latin1')
  const frame = Buffer.from(
    '\x21\xf9\x04\x00\x0a\x00\x00\x00\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02\x44\x01\x00',
    'latin1',
  )
  return Buffer.concat([head, ...Array.from({ length: count }, () => frame), Buffer.from(';')])
}

describe('a thumbnail', () => {
  it('keeps the shape of the picture when scaled and that of the box when cropped', async () => {
    const bytes = await plain(400, 300).jpeg().toBuffer()
    const scaled = await picture(bytes)
    expect(await shared.render({ ...box, ...scaled, width: 320, height: 240, method: 'scale' })).toEqual({
      ok: true,
      contentType: 'image/jpeg',
    })
    expect(await sharp(scaled.target).metadata()).toMatchObject({ width: 320, height: 240, format: 'jpeg' })

    const cropped = await picture(bytes)
    await shared.render({ ...box, ...cropped })
    expect(await sharp(cropped.target).metadata()).toMatchObject({ width: 32, height: 32 })
  })

  it('is never larger than the picture, and keeps the shape of the box even then', async () => {
    const bytes = await plain(20, 60).png().toBuffer()
    const scaled = await picture(bytes)
    await shared.render({ ...box, ...scaled, width: 800, height: 600, method: 'scale' })
    expect(await sharp(scaled.target).metadata()).toMatchObject({ width: 20, height: 60, format: 'png' })
    const cropped = await picture(bytes)
    await shared.render({ ...box, ...cropped })
    expect(await sharp(cropped.target).metadata()).toMatchObject({ width: 20, height: 20 })
  })

  it('is turned as the camera says, and tells nothing of place and camera', async () => {
    const bytes = await plain(400, 200)
      .withExif({ IFD0: { Make: 'SecretCamera', Copyright: 'Somebody' } })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer()
    expect(bytes.includes('Exif')).toBe(true)
    const files = await picture(bytes)
    await shared.render({ ...box, ...files, width: 320, height: 240, method: 'scale' })
    expect(await sharp(files.target).metadata()).toMatchObject({ width: 120, height: 240 })
    const out = await readFile(files.target)
    expect(out.includes('SecretCamera')).toBe(false)
    expect(out.includes('Exif')).toBe(false)
  })

  it('of a moving picture moves only when that was asked for', async () => {
    const frames = await sharp(
      await Promise.all(['red', 'green', 'blue'].map((background) => sharp({ create: { width: 60, height: 60, channels: 3, background } }).png().toBuffer())), // prettier-ignore
      { join: { animated: true } },
    )
      .gif({ delay: [100, 100, 100] })
      .toBuffer()
    const moving = await picture(frames)
    expect(await shared.render({ ...box, ...moving, animated: true })).toEqual({
      ok: true,
      contentType: 'image/webp',
    })
    expect(await sharp(moving.target).metadata()).toMatchObject({ pages: 3 })
    const still = await picture(frames)
    expect(await shared.render({ ...box, ...still })).toEqual({ ok: true, contentType: 'image/png' })
    expect((await sharp(still.target).metadata()).pages ?? 1).toBe(1)
  })
})

describe('a hostile picture', () => {
  it('of 50,000 × 50,000 pixels is refused before it is decoded', async () => {
    const files = await picture(pngBomb(50_000, 50_000))
    expect(await shared.render({ ...box, ...files })).toEqual({ ok: false, fault: 'too-large' })
    expect(existsSync(files.target)).toBe(false)
  })

  it('of 10,000 frames is refused, animated or not', async () => {
    const files = await picture(gifOfFrames(10_000))
    for (const animated of [true, false]) {
      expect(await shared.render({ ...box, ...files, animated })).toEqual({ ok: false, fault: 'too-large' })
    }
  })

  it('in a format that is not on the list is not opened, whatever it calls itself', async () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>'
    const tiff = await plain(10, 10).tiff().toBuffer()
    for (const bytes of [Buffer.from(svg), tiff, Buffer.from('<html>'), Buffer.alloc(0)]) {
      expect(await shared.render({ ...box, ...(await picture(bytes)) })).toEqual({
        ok: false,
        fault: 'undecodable',
      })
    }
  })

  it('that needs more memory than allowed ends its process, and the next picture is made by a fresh one', async () => {
    const small = pool({ memoryBytes: 120 * 1024 * 1024 })
    // An interlaced picture has to be in memory whole.
    const big = await picture(await plain(8000, 5000).png({ progressive: true }).toBuffer())
    expect(await small.render({ ...box, ...big, width: 2048, height: 2048 })).toEqual({
      ok: false,
      fault: 'too-large',
    })
    expect(await shared.render({ ...box, ...big })).toMatchObject({ ok: true })
    expect(
      await small.render({ ...box, ...(await picture(await plain(40, 30).png().toBuffer())) }),
    ).toMatchObject({ ok: true })
  })

  it('that takes too long has its process killed', async () => {
    const hasty = pool({ timeoutMs: 1 })
    const files = await picture(await plain(400, 300).png().toBuffer())
    expect(await hasty.render({ ...box, ...files })).toEqual({ ok: false, fault: 'timeout' })
  })
})

describe('the pool', () => {
  it('says busy when too many pictures wait', async () => {
    const narrow = pool({ maxWaiting: 1 })
    const bytes = await plain(400, 300).png().toBuffer()
    const pictures = await Promise.all([1, 2, 3, 4].map(() => picture(bytes)))
    const outcomes = await Promise.all(pictures.map((files) => narrow.render({ ...box, ...files })))
    expect(outcomes.filter((outcome) => outcome.ok)).toHaveLength(2)
    expect(outcomes.filter((outcome) => !outcome.ok && outcome.fault === 'busy')).toHaveLength(2)
  })

  it('gives a fault, not an exception, when the program cannot even start', async () => {
    const broken = pool({ program: new URL('file:///nowhere/at/all.js') })
    const files = await picture(await plain(4, 4).png().toBuffer())
    expect(await broken.render({ ...box, ...files })).toEqual({ ok: false, fault: 'crashed' })
  })

  it('leaves no process behind when closed', async () => {
    const made = pool()
    const files = await picture(await plain(8000, 5000).png({ progressive: true }).toBuffer())
    const running = made.render({ ...box, ...files })
    const waiting = made.render({ ...box, ...files })
    await new Promise((resolve) => setImmediate(resolve))
    await made.close()
    expect(await waiting).toEqual({ ok: false, fault: 'busy' })
    expect(await running).toEqual({ ok: false, fault: 'crashed' })
    expect(await made.render({ ...box, ...files })).toEqual({ ok: false, fault: 'busy' })
  })
})
