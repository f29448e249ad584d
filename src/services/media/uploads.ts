import type { Readable } from 'node:stream'
import { MatrixError, forbidden, notFound } from '../../core/errors.js'
import type { Clock } from '../../platform/clock.js'
import type { Random } from '../../platform/random.js'
import {
  announcedMediaOfUser,
  fillAnnouncedMedia,
  insertMedia,
  mediaById,
  mediaUsageOfUser,
  type MediaUsage,
} from '../../storage/tables/media.js'
import type { Store, Tx } from '../../storage/tx.js'
import type { Arrivals } from './announced-uploads.js'
import type { BlobStore, ReceivedBlob } from './blob-store.js'
import { storedFileName } from './content-disposition.js'
import { storedContentType } from './content-type.js'
import { incomingChunks } from './incoming-body.js'
import { checkMxc, mxcUri } from './mxc.js'

/** What one user may store; nothing where there is no limit. */
export interface MediaQuota {
  readonly files?: number
  readonly bytes?: number
}

export interface UploadRequest {
  readonly userId: string
  readonly body: Readable
  /** The `Content-Length` header, if there is one. */
  readonly declaredLength: string | undefined
  readonly contentType: string | undefined
  readonly fileName: string | undefined
}

export interface Uploads {
  /** Stores a body; gives its `mxc://` URI once bytes and row are on disk. Throws as `uploadTo`. */
  upload(request: UploadRequest): Promise<string>
  /** Announces an upload. Throws M_LIMIT_EXCEEDED when the user has announced too many. `expiresTs`: milliseconds since the epoch. */
  create(userId: string): Promise<{ contentUri: string; expiresTs: number }>
  /**
   * Stores the body of an announced upload.
   * Throws M_TOO_LARGE, M_FORBIDDEN (quota, or another user's), M_NOT_FOUND (never announced, or expired),
   * M_CANNOT_OVERWRITE_MEDIA, M_UNKNOWN with 507 when the disk is full.
   */
  uploadTo(origin: string, mediaId: string, request: UploadRequest): Promise<void>
}

export interface UploadsDeps {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly blobs: BlobStore
  readonly arrivals: Arrivals
  readonly serverName: string
  readonly quotaOf: ((userId: string) => Promise<MediaQuota | undefined>) | undefined
  readonly options: {
    readonly maxUploadBytes: number
    readonly uploadIdleMs: number
    readonly unusedExpiresMs: number
    readonly maxAnnouncedPerUser: number
  }
}

/** 24 letters and digits, about 143 bits: nobody finds a medium by guessing. */
const MEDIA_ID_LENGTH = 24

export function createUploads(deps: UploadsDeps): Uploads {
  const { store, clock, random, blobs, options, serverName } = deps

  const tooLarge = (): MatrixError =>
    new MatrixError('M_TOO_LARGE', `Uploads may have at most ${options.maxUploadBytes} bytes`)

  /** Refuses by what is known before a byte is read, and gives the quota for the rest. */
  async function quotaBefore(request: UploadRequest): Promise<MediaQuota | undefined> {
    const declared = request.declaredLength === undefined ? 0 : Number(request.declaredLength)
    if (declared > options.maxUploadBytes) throw tooLarge()
    const quota = await deps.quotaOf?.(request.userId)
    if (quota !== undefined) {
      const usage = await store.read('media.usage', () => mediaUsageOfUser(request.userId))
      checkQuota(quota, usage, Number.isFinite(declared) ? declared : 0)
    }
    return quota
  }

  function receive(request: UploadRequest, quota: MediaQuota | undefined): Promise<ReceivedBlob> {
    return blobs.receive(incomingChunks(request.body, options.uploadIdleMs), (size) => {
      if (size > options.maxUploadBytes) throw tooLarge()
      if (quota?.bytes !== undefined && size > quota.bytes) throw overQuota()
    })
  }

  /** In the transaction that adds the row, so that many uploads at once do not pass together. */
  function* quotaInside(userId: string, quota: MediaQuota | undefined, size: number): Tx<void> {
    if (quota !== undefined) checkQuota(quota, yield* mediaUsageOfUser(userId), size)
  }

  async function upload(request: UploadRequest): Promise<string> {
    const quota = await quotaBefore(request)
    const blob = await receive(request, quota)
    const mediaId = random.string(MEDIA_ID_LENGTH)
    const now = clock.now()
    await blobs.land(blob, () =>
      store.write('media.upload', function* () {
        yield* quotaInside(request.userId, quota, blob.size)
        yield* insertMedia({
          origin: serverName,
          media_id: mediaId,
          user_id: request.userId,
          sha256: blob.sha256,
          size: blob.size,
          content_type: storedContentType(request.contentType),
          file_name: storedFileName(request.fileName),
          created_ts: now,
          expires_ts: null,
          last_access_ts: now,
        })
      }),
    )
    return mxcUri(serverName, mediaId)
  }

  async function create(userId: string): Promise<{ contentUri: string; expiresTs: number }> {
    const mediaId = random.string(MEDIA_ID_LENGTH)
    const now = clock.now()
    const expiresTs = now + options.unusedExpiresMs
    const allowed = await store.write('media.create', function* () {
      if ((yield* announcedMediaOfUser(userId, now)) >= options.maxAnnouncedPerUser) return false
      yield* insertMedia({
        origin: serverName,
        media_id: mediaId,
        user_id: userId,
        sha256: null,
        size: 0,
        content_type: '',
        file_name: null,
        created_ts: now,
        expires_ts: expiresTs,
        last_access_ts: now,
      })
      return true
    })
    if (!allowed) {
      throw new MatrixError('M_LIMIT_EXCEEDED', 'Too many announced uploads have not been made yet', {
        retry_after_ms: 60_000,
      })
    }
    return { contentUri: mxcUri(serverName, mediaId), expiresTs }
  }

  async function checkAnnounced(mediaId: string, userId: string): Promise<void> {
    const row = await store.read('media.announced', () => mediaById(serverName, mediaId))
    if (row === undefined) throw notFound('This media id was not announced')
    if (row.user_id !== userId) throw forbidden('This media id was announced by another user')
    if (row.sha256 !== null) {
      throw new MatrixError('M_CANNOT_OVERWRITE_MEDIA', 'This media id has its content already')
    }
    if (row.expires_ts !== null && row.expires_ts <= clock.now()) {
      throw notFound('This media id has expired')
    }
  }

  async function uploadTo(origin: string, mediaId: string, request: UploadRequest): Promise<void> {
    checkMxc(origin, mediaId)
    if (origin !== serverName) throw notFound('This media id was not announced here')
    await checkAnnounced(mediaId, request.userId)
    const quota = await quotaBefore(request)
    const blob = await receive(request, quota)
    const filled = await blobs.land(blob, () =>
      store.write('media.uploadTo', function* () {
        yield* quotaInside(request.userId, quota, blob.size)
        return yield* fillAnnouncedMedia({
          origin: serverName,
          mediaId,
          userId: request.userId,
          sha256: blob.sha256,
          size: blob.size,
          contentType: storedContentType(request.contentType),
          fileName: storedFileName(request.fileName),
          now: clock.now(),
        })
      }),
    )
    if (!filled) {
      // Another upload to the same id was faster, or its time ran out: the row tells which.
      await checkAnnounced(mediaId, request.userId)
      throw notFound('This media id has expired')
    }
    deps.arrivals.arrived(mediaId)
  }

  return { upload, create, uploadTo }
}

const overQuota = (): MatrixError => forbidden('Your quota for uploads is used up')

function checkQuota(quota: MediaQuota, usage: MediaUsage, size: number): void {
  if (quota.bytes !== undefined && usage.bytes + size > quota.bytes) throw overQuota()
  if (quota.files !== undefined && usage.files + 1 > quota.files) throw overQuota()
}
