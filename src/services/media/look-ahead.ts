import { MatrixError } from '../../core/errors.js'
import type { Logger } from '../../platform/logger.js'
import { createSemaphore, SemaphoreFullError } from '../../platform/semaphore.js'
import type { Uploads } from './uploads.js'

/** Has the gate look at what was uploaded before anybody asks for it. Nobody waits for that: whoever asks first has it looked at as ever. */
export interface LookAhead {
  /** What cannot wait here, because too many do, is looked at when it is asked for. */
  uploaded(mediaId: string): void
}

/** Beside what people wait for. */
const AT_ONCE = 1
const MAX_WAITING = 1_000

export function createLookAhead(deps: {
  readonly logger: Logger
  /** Rejects with `MatrixError` for what may not be given, and while the gate cannot look. */
  look(mediaId: string): Promise<void>
}): LookAhead {
  const turns = createSemaphore({ permits: AT_ONCE, maxWaiting: MAX_WAITING })
  return {
    uploaded(mediaId) {
      turns
        .run(() => deps.look(mediaId))
        .catch((error: unknown) => {
          if (error instanceof MatrixError || error instanceof SemaphoreFullError) return
          deps.logger.warn({ err: error, mediaId }, 'an upload could not be looked at ahead of time')
        })
    },
  }
}

/** Uploads of which each is looked at as soon as it is stored. */
export const lookingAhead = (uploads: Uploads, ahead: LookAhead): Uploads => ({
  ...uploads,
  async upload(request) {
    const uri = await uploads.upload(request)
    ahead.uploaded(uri.slice(uri.lastIndexOf('/') + 1))
    return uri
  },
  async uploadTo(origin, mediaId, request) {
    await uploads.uploadTo(origin, mediaId, request)
    ahead.uploaded(mediaId)
  },
})
