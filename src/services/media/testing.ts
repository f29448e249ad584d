import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import type { Clock } from '../../platform/clock.js'
import { systemClock } from '../../platform/clock.js'
import { silentLogger } from '../../platform/logger.js'
import { systemRandom } from '../../platform/random.js'
import { openTestStore } from '../../storage/testing.js'
import type { Store } from '../../storage/tx.js'
import { createMedia, type Media, type MediaAccess, type MediaDeps, type MediaOptions } from './media.js'
import type { RemoteAnswer } from './remote-answer.js'
import type { ThumbnailJob, ThumbnailOutcome } from './thumbnailer.js'
import type { UploadRequest } from './uploads.js'

export const TEST_SERVER = 'ministry.example'
export const ALICE = '@alice:ministry.example'
export const BOB = '@bob:ministry.example'

export interface MediaBench {
  readonly media: Media
  readonly store: Store
  readonly folder: string
  /** Paths asked of other servers, and pictures rendered. */
  readonly asked: string[]
  readonly rendered: ThumbnailJob[]
  /** All files of the store, by folder, temporary ones too. */
  readonly files: () => Promise<{ blobs: string[]; tmp: string[]; trash: string[] }>
  /** Uploads bytes as Alice and gives the media id. */
  readonly upload: (bytes: Uint8Array | string, more?: Partial<UploadRequest>) => Promise<string>
  close(): Promise<void>
}

export interface MediaBenchOptions extends Partial<MediaOptions> {
  readonly clock?: Clock
  readonly store?: (store: Store) => Store
  readonly fetchRemote?: MediaDeps['fetchRemote']
  readonly fetchUrl?: MediaDeps['fetchUrl']
  readonly quotaOf?: MediaDeps['quotaOf']
  readonly gate?: MediaDeps['gate']
  readonly looksAhead?: boolean
  readonly render?: (job: ThumbnailJob) => Promise<ThumbnailOutcome>
  /** Default: a folder of its own, removed at the end. */
  readonly folder?: string
}

/** A media store for tests: its own folder and database, a thumbnailer that paints nothing. */
export async function openMediaBench(options: MediaBenchOptions = {}): Promise<MediaBench> {
  const {
    clock,
    store: wrap,
    fetchRemote,
    fetchUrl,
    quotaOf,
    gate,
    looksAhead,
    render,
    folder: given,
    ...rest
  } = options
  const folder = given ?? (await mkdtemp(join(tmpdir(), 'chancery-media-')))
  const own = await openTestStore()
  const store = wrap?.(own) ?? own
  const asked: string[] = []
  const rendered: ThumbnailJob[] = []
  const media = await createMedia({
    store,
    clock: clock ?? systemClock,
    random: systemRandom,
    logger: silentLogger,
    serverName: TEST_SERVER,
    options: {
      path: folder,
      maxUploadBytes: 100_000,
      maxImagePixels: 1_000_000,
      dynamicThumbnails: false,
      remoteTimeoutMs: 5000,
      maxRemoteBytes: 50_000,
      legacyUnauthenticated: 'off',
      ...rest,
    },
    fetchRemote: (destination, path, more) => {
      asked.push(`${destination}${path}`)
      return fetchRemote?.(destination, path, more) ?? Promise.reject(new Error('no network'))
    },
    ...(fetchUrl === undefined ? {} : { fetchUrl }),
    ...(quotaOf === undefined ? {} : { quotaOf }),
    ...(gate === undefined ? {} : { gate }),
    ...(looksAhead === undefined ? {} : { looksAhead }),
    thumbnailer: {
      async render(job) {
        rendered.push(job)
        if (render !== undefined) return render(job)
        await writeFile(job.target, `${job.width}x${job.height} ${job.method}`)
        return { ok: true, contentType: 'image/png' }
      },
    },
  })
  return {
    media,
    store,
    folder,
    asked,
    rendered,
    async files() {
      const names = async (part: string): Promise<string[]> => {
        const entries = await readdir(join(folder, part), { recursive: true, withFileTypes: true })
        return entries.filter((entry) => entry.isFile()).map((entry) => entry.name)
      }
      return { blobs: await names('blobs'), tmp: await names('tmp'), trash: await names('trash') }
    },
    async upload(bytes, more = {}) {
      const uri = await media.upload(uploadOf(bytes, more))
      return uri.slice(`mxc://${TEST_SERVER}/`.length)
    },
    async close() {
      await own.close()
      if (given === undefined) await rm(folder, { recursive: true, force: true })
    },
  }
}

export function uploadOf(bytes: Uint8Array | string, more: Partial<UploadRequest> = {}): UploadRequest {
  return {
    userId: ALICE,
    body: Readable.from([Buffer.from(bytes)], { objectMode: false }),
    declaredLength: undefined,
    contentType: 'image/png',
    fileName: undefined,
    ...more,
  }
}

export const AS_USER: MediaAccess = { by: 'user', allowRemote: true, timeoutMs: 0 }

export async function bytesOf(file: { open(): Promise<Readable> }): Promise<string> {
  return Buffer.concat(await (await file.open()).toArray()).toString('latin1')
}

/** An answer of another server, whole or chunk by chunk. */
export function remoteAnswer(
  status: number,
  headers: Record<string, string>,
  body: string | readonly string[] | AsyncIterable<Uint8Array>,
): RemoteAnswer {
  const chunks = typeof body === 'string' ? [body] : body
  return {
    status,
    headers,
    body:
      Symbol.asyncIterator in chunks
        ? Readable.from(chunks, { objectMode: false })
        : Readable.from(
            chunks.map((chunk) => Buffer.from(chunk, 'latin1')),
            { objectMode: false },
          ),
  }
}

/** The two parts in which another server sends a medium. */
export function remoteParts(content: string, headers = 'Content-Type: image/png'): RemoteAnswer {
  const text = `--x\r\nContent-Type: application/json\r\n\r\n{}\r\n--x\r\n${headers}\r\n\r\n${content}\r\n--x--\r\n`
  return remoteAnswer(200, { 'content-type': 'multipart/mixed; boundary=x' }, text)
}

export const matrixError = (status: number, errcode: string): RemoteAnswer =>
  remoteAnswer(status, { 'content-type': 'application/json' }, JSON.stringify({ errcode, error: '' }))
