import { MatrixError, notFound } from '../../core/errors.js'
import type { Clock } from '../../platform/clock.js'
import { createLru } from '../../platform/lru.js'
import type { Logger } from '../../platform/logger.js'
import { createSemaphore, SemaphoreFullError } from '../../platform/semaphore.js'
import { insertMedia, mediaById, type MediaRow } from '../../storage/tables/media.js'
import type { Store } from '../../storage/tx.js'
import { FederationError } from '../federation/client.js'
import type { BlobStore } from './blob-store.js'
import { fileNameFrom } from './content-disposition.js'
import { storedContentType } from './content-type.js'
import { MultipartError, readMediaParts } from './multipart-reader.js'
import { errcodeOf, header, type FetchRemote, type FetchUrl, type RemoteAnswer } from './remote-answer.js'
import { checkedLocation } from './remote-location.js'
import { createSingleFlight } from './single-flight.js'

/** Fetches media of other servers and keeps them. */
export interface RemoteMedia {
  /**
   * Gives the row of a medium of another server, fetched now and stored. Everyone who asks meanwhile waits for the
   * same fetch. Throws M_NOT_FOUND, M_NOT_YET_UPLOADED, M_TOO_LARGE (502), M_LIMIT_EXCEEDED, M_UNKNOWN (502, 504).
   */
  fetch(origin: string, mediaId: string): Promise<MediaRow>
}

export interface RemoteMediaDeps {
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
  readonly blobs: BlobStore
  readonly fetchRemote: FetchRemote
  readonly fetchUrl: FetchUrl | undefined
  readonly options: { readonly maxRemoteBytes: number; readonly remoteTimeoutMs: number }
}

const CONCURRENT_FETCHES = 16
const WAITING_FETCHES = 200
/** How long a failure is told again without asking the other server. */
const FAILURE_MS = 10_000
const MULTIPART_OVERHEAD = 128 * 1024
/** What the other server may wait for an upload that was announced there. */
const REMOTE_WAIT_MS = 20_000

interface IncomingMedia {
  readonly contentType: string | undefined
  readonly contentDisposition: string | undefined
  readonly content: AsyncIterable<Uint8Array>
}

const badGateway = (message: string): MatrixError => new MatrixError('M_UNKNOWN', message, {}, 502)
const tooLarge = (): MatrixError =>
  new MatrixError('M_TOO_LARGE', 'The medium of the other server is too large', {}, 502)

export function createRemoteMedia(deps: RemoteMediaDeps): RemoteMedia {
  const { store, clock, blobs, options } = deps
  const flights = createSingleFlight<MediaRow>()
  const slots = createSemaphore({ permits: CONCURRENT_FETCHES, maxWaiting: WAITING_FETCHES })
  const failures = createLru<string, MatrixError>({ max: 2000, ttlMs: FAILURE_MS, clock })

  /** Runs one request; whatever comes of it, its body is let go of. */
  async function using<T>(
    request: Promise<RemoteAnswer>,
    signal: AbortSignal,
    use: (answer: RemoteAnswer) => Promise<T>,
  ): Promise<T> {
    const answer = await request.catch(unreachable)
    const cut = (): void => void answer.body.destroy(new Error('took too long'))
    // A body destroyed while nobody reads it must not end the process.
    answer.body.on('error', () => undefined)
    signal.addEventListener('abort', cut, { once: true })
    try {
      signal.throwIfAborted()
      return await use(answer)
    } finally {
      signal.removeEventListener('abort', cut)
      answer.body.destroy()
    }
  }

  /** Refuses what need not be read, and bodies in an encoding that hides how large they are. */
  function checkHead(answer: RemoteAnswer, limit: number): void {
    const encoding = header(answer, 'content-encoding')?.trim().toLowerCase() ?? 'identity'
    if (encoding !== 'identity') throw badGateway('The other server sent an encoded body')
    const declared = Number(header(answer, 'content-length') ?? 0)
    if (declared > limit) throw tooLarge()
  }

  async function keep(origin: string, mediaId: string, media: IncomingMedia): Promise<MediaRow> {
    const blob = await blobs.receive(fromPeer(media.content), (size) => {
      if (size > options.maxRemoteBytes) throw tooLarge()
    })
    const now = clock.now()
    const row: MediaRow = {
      origin,
      media_id: mediaId,
      user_id: null,
      sha256: blob.sha256,
      size: blob.size,
      content_type: storedContentType(media.contentType),
      file_name: fileNameFrom(media.contentDisposition),
      created_ts: now,
      expires_ts: null,
      last_access_ts: now,
    }
    return blobs.land(blob, () =>
      store.write('media.keepRemote', function* () {
        // Another process may have fetched it at the same time: its row stands.
        if (yield* insertMedia(row)) return row
        return (yield* mediaById(origin, mediaId)) ?? row
      }),
    )
  }

  async function fromLocation(origin: string, mediaId: string, location: string, signal: AbortSignal) {
    const url = checkedLocation(location)
    if (deps.fetchUrl === undefined) throw badGateway('Media at other places are not fetched')
    return using(deps.fetchUrl(url, { signal }), signal, async (answer) => {
      if (answer.status !== 200) throw badGateway('The medium is not where the other server said')
      checkHead(answer, options.maxRemoteBytes)
      return keep(origin, mediaId, {
        contentType: header(answer, 'content-type'),
        contentDisposition: header(answer, 'content-disposition'),
        content: answer.body as AsyncIterable<Uint8Array>,
      })
    })
  }

  /** Undefined when the other server does not know the endpoint. */
  async function fromFederation(origin: string, mediaId: string, signal: AbortSignal) {
    const path = `/_matrix/federation/v1/media/download/${mediaId}?timeout_ms=${REMOTE_WAIT_MS}`
    return using(deps.fetchRemote(origin, path, { signal }), signal, async (answer) => {
      if (answer.status !== 200) return faultOf(answer)
      checkHead(answer, options.maxRemoteBytes + MULTIPART_OVERHEAD)
      const part = await readMediaParts(
        header(answer, 'content-type'),
        answer.body as AsyncIterable<Uint8Array>,
      ).catch(unreachable)
      const location = part.headers.get('location')
      if (location !== undefined) return fromLocation(origin, mediaId, location, signal)
      return keep(origin, mediaId, {
        contentType: part.headers.get('content-type'),
        contentDisposition: part.headers.get('content-disposition'),
        content: part.content,
      })
    })
  }

  /** For servers older than specification 1.11. They must not ask a third server on our behalf. */
  async function fromLegacy(origin: string, mediaId: string, signal: AbortSignal) {
    const path =
      `/_matrix/media/v3/download/${encodeURIComponent(origin)}/${mediaId}` +
      `?allow_remote=false&allow_redirect=false&timeout_ms=${REMOTE_WAIT_MS}`
    return using(deps.fetchRemote(origin, path, { signal }), signal, async (answer) => {
      if (answer.status !== 200) {
        await faultOf(answer)
        throw notFound('The other server does not have this medium')
      }
      checkHead(answer, options.maxRemoteBytes)
      return keep(origin, mediaId, {
        contentType: header(answer, 'content-type'),
        contentDisposition: header(answer, 'content-disposition'),
        content: answer.body as AsyncIterable<Uint8Array>,
      })
    })
  }

  async function fetchNow(origin: string, mediaId: string): Promise<MediaRow> {
    const known = await store.read('media.remote', () => mediaById(origin, mediaId))
    if (typeof known?.sha256 === 'string') return known
    const signal = AbortSignal.timeout(options.remoteTimeoutMs)
    try {
      return (await fromFederation(origin, mediaId, signal)) ?? (await fromLegacy(origin, mediaId, signal))
    } catch (error) {
      if (signal.aborted) {
        throw new MatrixError('M_UNKNOWN', 'The other server took too long', {}, 504)
      }
      throw error
    }
  }

  return {
    fetch(origin, mediaId) {
      const key = `${origin}/${mediaId}`
      return flights(key, async () => {
        const failed = failures.get(key)
        if (failed !== undefined) throw failed
        try {
          return await slots.run(() => fetchNow(origin, mediaId))
        } catch (error) {
          if (error instanceof SemaphoreFullError) {
            throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many media are being fetched', {
              retry_after_ms: 5000,
            })
          }
          if (!(error instanceof MatrixError)) throw error
          // Our own full disk and an upload still to come are no reason to wait.
          if (error.errcode !== 'M_NOT_YET_UPLOADED' && error.status !== 507) failures.set(key, error)
          deps.logger.info({ origin, mediaId, errcode: error.errcode }, 'remote medium not fetched')
          throw error
        }
      })
    },
  }
}

/**
 * Turns an error answer into what our own client is told. Gives undefined for "no such endpoint", which older
 * servers also say with 400 or 405, or with a page that is no Matrix error.
 */
async function faultOf(answer: RemoteAnswer): Promise<undefined> {
  if (answer.status >= 300 && answer.status < 400) {
    throw badGateway('The other server redirects, which is not followed')
  }
  const errcode = await errcodeOf(answer).catch(unreachable)
  if ([400, 404, 405].includes(answer.status) && (errcode === undefined || errcode === 'M_UNRECOGNIZED')) {
    return undefined
  }
  if (errcode === 'M_TOO_LARGE') throw tooLarge()
  if (errcode === 'M_NOT_YET_UPLOADED') {
    throw new MatrixError('M_NOT_YET_UPLOADED', 'The medium has not been uploaded yet')
  }
  if (answer.status === 404) throw notFound('The other server does not have this medium')
  throw badGateway(`The other server answered ${answer.status}`)
}

/** What goes wrong on the way to the other server, or by its fault, is 502; a closed federation's refusal stays. */
function unreachable(error: unknown): never {
  if (error instanceof MatrixError && (error.status !== undefined || error.errcode === 'M_FORBIDDEN'))
    throw error
  if (error instanceof MultipartError) throw badGateway('The other server sent a broken answer')
  if (error instanceof FederationError && error.kind === 'too-large') throw tooLarge()
  throw badGateway('The other server could not be reached')
}

/** Faults of the sender, told apart from those of our own disk and database. */
async function* fromPeer(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks
  } catch (error) {
    unreachable(error)
  }
}
