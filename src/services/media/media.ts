import type { Readable } from 'node:stream'
import { MatrixError, notFound } from '../../core/errors.js'
import type { Clock } from '../../platform/clock.js'
import type { Logger } from '../../platform/logger.js'
import type { Random } from '../../platform/random.js'
import {
  blobsInUse,
  deleteMedia,
  deleteThumbnailsOfBlob,
  mediaById,
  touchMedia,
  type MediaRow,
} from '../../storage/tables/media.js'
import { quarantinedBy } from '../../storage/tables/media-moderation.js'
import type { Store } from '../../storage/tx.js'
import { createArrivals } from './announced-uploads.js'
import { createBlobStore, type ByteRange } from './blob-store.js'
import { createLookAhead, lookingAhead } from './look-ahead.js'
import type { MediaGate } from './media-gate.js'
import { createMediaModeration, type MediaModeration } from './media-moderation.js'
import { createMediaUpkeep, type MediaUpkeep } from './media-upkeep.js'
import { checkMxc, mxcUri } from './mxc.js'
import type { FetchRemote, FetchUrl } from './remote-answer.js'
import { createRemoteMedia } from './remote-media.js'
import { createSingleFlight } from './single-flight.js'
import type { Thumbnailer } from './thumbnailer.js'
import { createThumbnails } from './thumbnails.js'
import { SPECIFIED_SIZES, type ThumbnailSize } from './thumbnail-size.js'
import { createUploads, type MediaQuota, type Uploads } from './uploads.js'

export interface MediaOptions {
  /** The folder of the store; made when it is not there. */
  readonly path: string
  readonly maxUploadBytes: number
  /** Width × height × frames of pictures that are still decoded. */
  readonly maxImagePixels: number
  /** Default: the specification's five. */
  readonly thumbnailSizes?: readonly ThumbnailSize[]
  /** Whether other sizes than those are made too, rounded up; a bounded number of them for each picture. */
  readonly dynamicThumbnails: boolean
  readonly remoteTimeoutMs: number
  readonly maxRemoteBytes: number
  /**
   * What requests without an access token get on the endpoints that need none. `off`: nothing; `local-only`: media
   * of this server; `on`: also media of others that are already kept here. None of them ever has one fetched.
   */
  readonly legacyUnauthenticated: 'off' | 'local-only' | 'on'
  /** Media stored at this time or later (milliseconds since the epoch) are never given without a token. */
  readonly legacyFreezeTs?: number
  /** Default 24 hours. */
  readonly unusedExpiresMs?: number
  /** Announced uploads of one user at a time; default 20. */
  readonly maxAnnouncedPerUser?: number
  /** An upload of which nothing arrives for so long is given up; default one minute. */
  readonly uploadIdleMs?: number
  /** Whether other processes write to the same folder: orphans are then left alone for an hour. */
  readonly sharedFolder?: boolean
  /** Other servers' media beyond so many bytes are evicted; default: no bound. */
  readonly remoteCacheBytes?: number
  /** Other servers' media not used for so long are evicted; default: never. */
  readonly remoteCacheMs?: number
}

export interface MediaDeps {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly serverName: string
  readonly options: MediaOptions
  readonly fetchRemote: FetchRemote
  /** Without it, media that another server keeps elsewhere (`Location`) are not fetched. */
  readonly fetchUrl?: FetchUrl
  readonly thumbnailer: Thumbnailer
  /** The quota of a user; without it nobody has one. */
  readonly quotaOf?: (userId: string) => Promise<MediaQuota | undefined>
  /** Looks at files before they are given; without it all are. */
  readonly gate?: MediaGate
  /** Whether it looks at uploads when they come, so that the verdict is there when somebody asks. Default false. */
  readonly looksAhead?: boolean
}

/** Who asks, and for how long they wait for an upload that is announced only. */
export interface MediaAccess {
  /** `server`: another server, by a signed request; `anonymous`: no token, on an endpoint that needs none. */
  readonly by: 'user' | 'server' | 'anonymous'
  /** The name of that server. */
  readonly server?: string
  /** `allow_remote` of the legacy endpoints. */
  readonly allowRemote: boolean
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

export interface MediaFile {
  readonly contentType: string
  readonly fileName: string | null
  readonly size: number
  /** For entity tags. */
  readonly sha256: string
  /** Opens the bytes; the stream must be read to its end or destroyed. Throws M_NOT_FOUND when the file was lost. */
  open(range?: ByteRange): Promise<Readable>
}

export interface Media extends Uploads, MediaUpkeep {
  readonly moderation: MediaModeration
  readonly serverName: string
  readonly maxUploadBytes: number
  /**
   * Finds a medium, fetching it from its server when that is allowed.
   * Throws M_INVALID_PARAM, M_NOT_FOUND, M_NOT_YET_UPLOADED, and what fetching and the gate throw.
   */
  download(origin: string, mediaId: string, access: MediaAccess): Promise<MediaFile>
  /** As `download`; throws M_INVALID_PARAM for impossible sizes, and what making thumbnails throws. */
  thumbnail(
    origin: string,
    mediaId: string,
    asked: ThumbnailSize & { readonly animated: boolean },
    access: MediaAccess,
  ): Promise<MediaFile>
  /** As `download`, but the gate is not asked: for whoever looks at what was decrypted before it is given. */
  ciphertext(origin: string, mediaId: string, access: MediaAccess): Promise<MediaFile>
  /** A boundary for an answer in parts, which no uploader can know. */
  boundary(): string
}

const DAY_MS = 86_400_000
const MAX_WAIT_MS = 60_000
/** How exact the time of last use is kept. */
const TOUCH_MS = 3_600_000
const SHARED_GRACE_MS = 3_600_000

const AHEAD: MediaAccess = { by: 'user', allowRemote: false, timeoutMs: 0 }

/** Opens the media store in its folder. */
export async function createMedia(deps: MediaDeps): Promise<Media> {
  const { store, clock, random, logger, serverName, options, gate } = deps
  const blobs = await createBlobStore({ random, clock, root: options.path })
  const arrivals = createArrivals(clock)
  const verdicts = createSingleFlight<void>()
  const inUse = (hashes: readonly string[]): Promise<ReadonlySet<string>> =>
    store.read('media.inUse', () => blobsInUse(hashes))
  const graceMs = options.sharedFolder === true ? SHARED_GRACE_MS : 0
  /** A row that could not be written leaves its file behind, which goes now rather than at the next sweep. */
  const landing = {
    ...blobs,
    async land<T>(blob: Parameters<typeof blobs.land>[0], record: () => Promise<T>): Promise<T> {
      try {
        return await blobs.land(blob, record)
      } catch (error) {
        await blobs.collect([blob.sha256], graceMs, inUse).catch((failure: unknown) => {
          logger.warn({ err: failure }, 'orphan left to the sweep')
        })
        throw error
      }
    },
  }

  const uploads = createUploads({
    store,
    clock,
    random,
    blobs: landing,
    arrivals,
    serverName,
    quotaOf: deps.quotaOf,
    options: {
      maxUploadBytes: options.maxUploadBytes,
      uploadIdleMs: options.uploadIdleMs ?? 60_000,
      unusedExpiresMs: options.unusedExpiresMs ?? DAY_MS,
      maxAnnouncedPerUser: options.maxAnnouncedPerUser ?? 20,
    },
  })
  const remote = createRemoteMedia({
    store,
    clock,
    logger,
    blobs: landing,
    fetchRemote: deps.fetchRemote,
    fetchUrl: deps.fetchUrl,
    options,
  })
  const thumbnails = createThumbnails({
    store,
    clock,
    blobs: landing,
    thumbnailer: deps.thumbnailer,
    options: { ...options, thumbnailSizes: options.thumbnailSizes ?? SPECIFIED_SIZES },
  })
  const upkeep = createMediaUpkeep({ store, clock, logger, blobs, inUse, graceMs, options })

  const moderation = createMediaModeration({ store, serverName, remove: upkeep.remove })

  const find = (origin: string, mediaId: string): Promise<MediaRow | undefined> =>
    store.read('media.find', () => mediaById(origin, mediaId))

  async function local(mediaId: string, access: MediaAccess): Promise<Stored> {
    const row = await find(serverName, mediaId)
    if (row === undefined) throw notFound('There is no such medium')
    if (isStored(row)) return row
    if (row.expires_ts !== null && row.expires_ts <= clock.now()) throw notFound('There is no such medium')
    const timeoutMs = Math.max(0, Math.min(access.timeoutMs, MAX_WAIT_MS))
    const arrived = await arrivals.wait(mediaId, timeoutMs, access.signal, async () => {
      const now = await find(serverName, mediaId)
      if (now === undefined) throw notFound('There is no such medium')
      return isStored(now) ? now : undefined
    })
    if (arrived !== undefined) return arrived
    throw new MatrixError('M_NOT_YET_UPLOADED', 'The medium has not been uploaded yet')
  }

  async function others(origin: string, mediaId: string, access: MediaAccess): Promise<Stored> {
    if (access.by === 'server') throw notFound('This server gives its own media only')
    const row = await find(origin, mediaId)
    if (row !== undefined && isStored(row)) return row
    // Anybody on the internet could otherwise fill this server's disk.
    if (access.by === 'anonymous' || !access.allowRemote) throw notFound('There is no such medium here')
    const fetched = await remote.fetch(origin, mediaId)
    if (!isStored(fetched)) throw notFound('There is no such medium')
    return fetched
  }

  function checkLegacy(origin: string): void {
    const mode = options.legacyUnauthenticated
    if (mode === 'off' || (mode === 'local-only' && origin !== serverName)) {
      throw notFound('Media are given to users with an access token only')
    }
  }

  async function resolve(origin: string, mediaId: string, access: MediaAccess): Promise<Stored> {
    checkMxc(origin, mediaId)
    if (access.by === 'anonymous') checkLegacy(origin)
    // Before a medium of another server is fetched: what is in quarantine is not stored again.
    const by = await store.read('media.quarantined', () => quarantinedBy(origin, mediaId))
    if (by !== null && by === gate?.name) throw gate.quarantined()
    if (by !== null) throw notFound('There is no such medium')
    const row = origin === serverName ? await local(mediaId, access) : await others(origin, mediaId, access)
    if (access.by === 'anonymous' && row.created_ts >= (options.legacyFreezeTs ?? Infinity)) {
      throw notFound('Media are given to users with an access token only')
    }
    const now = clock.now()
    if (now - row.last_access_ts > TOUCH_MS) {
      // Nobody waits for this: it only orders evictions.
      store
        .write('media.touch', () => touchMedia(origin, mediaId, now))
        .catch((error: unknown) => logger.warn({ err: error }, 'the use of a medium was not noted'))
    }
    return row
  }

  async function opened(sha256: string, range: ByteRange | undefined, lost: () => Promise<void>) {
    const stream = await blobs.read(sha256, range)
    if (stream !== undefined) return stream
    logger.error({ sha256 }, 'a media file is missing from the store')
    await lost()
    throw notFound('The file of this medium was lost')
  }

  function fileOf(row: Stored): MediaFile {
    const { origin, media_id: mediaId } = row
    return {
      contentType: row.content_type,
      fileName: row.file_name,
      size: row.size,
      sha256: row.sha256,
      open: (range) =>
        opened(row.sha256, range, async () => {
          // It can be fetched again; what was uploaded here cannot, and its row says that it existed.
          if (origin !== serverName) await store.write('media.lost', () => deleteMedia([[origin, mediaId]]))
        }),
    }
  }

  /** Finds a medium that may be given. Who asks for the same at the same time waits for the same verdict, so that it is told once. */
  async function passed(origin: string, mediaId: string, access: MediaAccess): Promise<Stored> {
    const row = await resolve(origin, mediaId, access)
    if (gate !== undefined)
      await verdicts(`${access.by === 'server' ? access.server : ''} ${origin}/${mediaId}`, () =>
        pass(gate, row, access),
      )
    return row
  }

  async function pass(by: MediaGate, row: Stored, access: MediaAccess): Promise<void> {
    const { origin, media_id: mediaId } = row
    const verdict = await by.look(
      { ...fileOf(row), uri: mxcUri(origin, mediaId) },
      access.by === 'server' ? access.server : undefined,
    )
    if (verdict.error === undefined) return
    if (verdict.quarantine === true) {
      const count = await moderation.quarantine([[origin, mediaId]], by.name)
      logger.warn({ origin, mediaId, count }, 'a medium was put into quarantine')
    }
    throw verdict.error
  }

  const ahead = createLookAhead({
    logger,
    look: async (mediaId) => void (await passed(serverName, mediaId, AHEAD)),
  })

  return {
    ...(gate !== undefined && deps.looksAhead === true ? lookingAhead(uploads, ahead) : uploads),
    ...upkeep,
    moderation,
    serverName,
    maxUploadBytes: options.maxUploadBytes,
    download: async (origin, mediaId, access) => fileOf(await passed(origin, mediaId, access)),
    ciphertext: async (origin, mediaId, access) => fileOf(await resolve(origin, mediaId, access)),
    async thumbnail(origin, mediaId, asked, access) {
      const row = await passed(origin, mediaId, access)
      const picture = { sha256: row.sha256, contentType: row.content_type }
      const made = await thumbnails.of(picture, asked, asked.animated)
      return {
        contentType: made.content_type,
        fileName: `thumbnail.${made.content_type.slice('image/'.length)}`,
        size: made.size,
        sha256: made.sha256,
        open: (range) =>
          opened(made.sha256, range, () =>
            store.write('media.lostThumbnail', () => deleteThumbnailsOfBlob(made.sha256)),
          ),
      }
    },
    boundary: () => random.string(32),
  }
}

type Stored = MediaRow & { readonly sha256: string }
const isStored = (row: MediaRow): row is Stored => row.sha256 !== null
