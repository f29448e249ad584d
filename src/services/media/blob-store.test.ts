import { createHash, randomBytes } from 'node:crypto'
import { link, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { manualClock } from '../../platform/clock.js'
import { systemRandom } from '../../platform/random.js'
import { createBlobStore, type BlobStore } from './blob-store.js'

const clock = manualClock()
let root: string
let store: BlobStore
let used: Set<string>
const inUse = (hashes: readonly string[]) => Promise.resolve(new Set(hashes.filter((hash) => used.has(hash))))
const open = () => createBlobStore({ random: systemRandom, clock, root })
const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'chancery-blobs-'))
  store = await open()
  used = new Set()
})
afterEach(() => rm(root, { recursive: true, force: true }))

async function* chunks(...parts: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield Buffer.from(part)
}
async function put(text: string): Promise<string> {
  const blob = await store.receive(chunks(text), () => undefined)
  await store.land(blob, () => Promise.resolve())
  return blob.sha256
}
const exists = (sha: string): Promise<boolean> =>
  stat(store.pathOf(sha)).then(
    () => true,
    () => false,
  )

describe('receiving bytes', () => {
  it('hashes and counts what arrives, in however many pieces', async () => {
    const parts = [randomBytes(70_000), Buffer.alloc(0), randomBytes(1), randomBytes(100_000)]
    const sizes: number[] = []
    const blob = await store.receive(chunks(...parts), (size) => sizes.push(size))
    const whole = Buffer.concat(parts)
    expect(blob).toMatchObject({ sha256: sha256(whole), size: whole.length })
    expect(sizes).toEqual([70_000, 70_000, 70_001, 170_001])
    expect((await readFile(blob.path)).equals(whole)).toBe(true)
  })

  it.each(['ENOSPC', 'EDQUOT', 'EFBIG', 'EROFS'])(
    'says that the store is full on %s, and cleans up',
    async (code) => {
      const failing = store.receive(chunks('a', 'b'), (size) => {
        if (size > 1) throw Object.assign(new Error('disk'), { code })
      })
      await expect(failing).rejects.toEqual(expect.objectContaining({ errcode: 'M_UNKNOWN', status: 507 }))
      expect(await readdir(join(root, 'tmp'))).toEqual([])
    },
  )

  it('lets other errors through as they are', async () => {
    const error = new Error('other')
    const failing = store.receive(chunks('a'), () => {
      throw error
    })
    await expect(failing).rejects.toBe(error)
    expect(await readdir(join(root, 'tmp'))).toEqual([])
  })
})

describe('landing', () => {
  it('records only once the file is in its place, and leaves no temporary file', async () => {
    const blob = await store.receive(chunks('x'), () => undefined)
    const seen = await store.land(blob, () => exists(blob.sha256))
    expect(seen).toBe(true)
    expect(await readdir(join(root, 'tmp'))).toEqual([])
  })

  it('works again after somebody removed the folders', async () => {
    const sha = await put('x')
    await rm(join(root, 'blobs'), { recursive: true })
    await put('x')
    expect(await exists(sha)).toBe(true)
  })

  it('opens files so that they can be read after they were deleted', async () => {
    const sha = await put('hello')
    const stream = await store.read(sha)
    const part = await store.read(sha, { start: 1, end: 3 })
    expect(await store.collect([sha], 0, inUse)).toBe(1)
    expect(Buffer.concat(await stream!.toArray()).toString()).toBe('hello')
    expect(Buffer.concat(await part!.toArray()).toString()).toBe('ell')
    expect(await store.read(sha)).toBeUndefined()
  })

  it('never makes a path of anything but a hash', async () => {
    for (const bad of ['../../etc/passwd', '', 'A'.repeat(64), `${'a'.repeat(63)}/`]) {
      expect(() => store.pathOf(bad)).toThrow()
    }
  })
})

describe('the sweep', () => {
  it('takes orphans and leaves what rows point at', async () => {
    const hashes = await Promise.all(Array.from({ length: 450 }, (_, i) => put(`${i}`)))
    used = new Set(hashes.slice(0, 200))
    expect(await store.sweep(0, inUse)).toEqual({ temporary: 0, orphans: 250 })
    const left = await Promise.all(hashes.map(exists))
    expect(left.map(Number)).toEqual(hashes.map((_, i) => Number(i < 200)))
  })

  it('takes temporary files of an earlier process, and none that is being written', async () => {
    await writeFile(join(root, 'tmp', 'left-over'), 'half')
    const own = await store.temporary()
    await writeFile(own, 'half')
    expect(await store.sweep(0, inUse)).toEqual({ temporary: 1, orphans: 0 })
    expect(await readdir(join(root, 'tmp'))).toHaveLength(1)
    await store.discard(own)
  })

  it('leaves young files alone where other processes write too', async () => {
    const sha = await put('x')
    const temporary = join(root, 'tmp', 'another-process')
    await writeFile(temporary, 'half')
    await utimes(temporary, clock.now() / 1000, clock.now() / 1000)
    expect(await store.sweep(1000, inUse)).toEqual({ temporary: 0, orphans: 0 })
    clock.advance(1000)
    // The same bytes, uploaded again just now: no orphan either.
    await put('y')
    expect(await store.sweep(1000, inUse)).toEqual({ temporary: 1, orphans: 1 })
    expect(await exists(sha)).toBe(false)
    expect(await exists(sha256('y'))).toBe(true)
  })

  it('does not take a file whose upload is just being recorded', async () => {
    const blob = await store.receive(chunks('x'), () => undefined)
    let sweeping: Promise<unknown> = Promise.resolve()
    await store.land(blob, async () => {
      sweeping = store.sweep(0, inUse)
      await new Promise((resolve) => setTimeout(resolve, 50))
      used.add(blob.sha256)
    })
    expect(await sweeping).toEqual({ temporary: 0, orphans: 0 })
    expect(await exists(blob.sha256)).toBe(true)
  })

  it('puts back what another process landed while it looked', async () => {
    const sha = await put('x')
    clock.advance(10_000)
    // The other process's row becomes visible between the first and the second look.
    let looks = 0
    const later = async (hashes: readonly string[]) => new Set(++looks > 1 ? hashes : [])
    expect(await store.sweep(1000, later)).toEqual({ temporary: 0, orphans: 0 })
    expect(looks).toBe(2)
    expect(await exists(sha)).toBe(true)
    expect(await readdir(join(root, 'trash'))).toEqual([])
  })

  it('judges again what a crash left between judging and deleting', async () => {
    const kept = await put('kept')
    const gone = await put('gone')
    used.add(kept)
    for (const sha of [kept, gone]) {
      await link(store.pathOf(sha), join(root, 'trash', `${sha}.abcdefgh`))
      await rm(store.pathOf(sha))
    }
    await mkdir(join(root, 'trash', 'a-folder'))
    store = await open()
    await store.sweep(0, inUse)
    expect(await exists(kept)).toBe(true)
    expect(await exists(gone)).toBe(false)
    expect(await readdir(join(root, 'trash'))).toEqual(['a-folder'])
  })
})
