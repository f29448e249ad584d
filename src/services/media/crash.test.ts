import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { startChild } from '../../platform/testing-child.js'
import { openSqlite } from '../../storage/sqlite-store.js'
import { all } from '../../storage/tx.js'
import { openMediaBench } from './testing.js'

const HOOKS = new URL('../../workers/typescript-hooks.mjs', import.meta.url).href
const CHILD = new URL('./testing-upload-child.ts', import.meta.url).pathname

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chancery-media-crash-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

interface Victim {
  /** The next line that it prints. */
  line(): Promise<string>
  upload(chunks: number): void
  kill(): Promise<void>
}

function start(): Victim {
  const child = startChild(['--import', HOOKS, CHILD, folder])
  return {
    line: () => child.line(),
    upload: (chunks) => void child.process.stdin.write(`${chunks}\n`),
    kill: async () => void (await child.stop('SIGKILL')),
  }
}

interface Row {
  readonly media_id: string
  readonly sha256: string
}

/** What the next start finds: rows, and files before and after its sweep. Every row must have its whole file. */
async function aftermath() {
  const store = await openSqlite({ path: join(folder, 'media.db') })
  const bench = await openMediaBench({ folder: join(folder, 'media'), store: () => store })
  try {
    const rows = await store.read('test', () => all<Row>('SELECT media_id, sha256 FROM media'))
    const before = await bench.files()
    await bench.media.sweep()
    const after = await bench.files()
    for (const { sha256 } of rows) {
      const path = join(folder, 'media', 'blobs', sha256.slice(0, 2), sha256.slice(2, 4), sha256)
      expect(
        createHash('sha256')
          .update(await readFile(path))
          .digest('hex'),
      ).toBe(sha256)
    }
    expect(after.blobs.toSorted()).toEqual(rows.map((row) => row.sha256).toSorted())
    expect(after.tmp).toEqual([])
    return { rows, before, after }
  } finally {
    await bench.close()
    await store.close()
  }
}

describe('kill -9', () => {
  it('in the middle of an upload leaves no row, and a temporary file that the next start removes', async () => {
    const victim = start()
    expect(await victim.line()).toBe('ready')
    victim.upload(100_000)
    expect(await victim.line()).toBe('begun')
    await victim.kill()
    const { rows, before } = await aftermath()
    expect(rows).toEqual([])
    expect(before.tmp).toHaveLength(1)
    expect(before.blobs).toEqual([])
  })

  it('right after an answer loses nothing of what was answered', async () => {
    const victim = start()
    await victim.line()
    victim.upload(3)
    expect(await victim.line()).toBe('begun')
    const id = await victim.line()
    await victim.kill()
    const { rows } = await aftermath()
    expect(rows.map((row) => row.media_id)).toEqual([id])
  })

  it('at any moment keeps rows and files together, and every answered upload', async () => {
    const answered: string[] = []
    // On a busy machine a victim answers little before it dies: there are as many as it takes.
    for (let round = 0; round < 8 || (answered.length <= 8 && round < 60); round++) {
      const victim = start()
      await victim.line()
      for (let i = 0; i < 500; i++) victim.upload(2)
      const killing = delay(5 + round * 13).then(() => victim.kill())
      try {
        for (;;) {
          const line = await victim.line()
          if (line !== 'begun') answered.push(line)
        }
      } catch {
        await killing
      }
      const { rows } = await aftermath()
      const known = new Set(rows.map((row) => row.media_id))
      expect(answered.filter((id) => !known.has(id))).toEqual([])
    }
    expect(answered.length).toBeGreaterThan(8)
  }, 180_000)
})
