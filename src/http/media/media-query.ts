import { Type } from 'typebox'

/** Milliseconds that a client waits for an announced upload. */
const timeoutMs = Type.Optional(Type.Integer({ minimum: 0 }))
export const DEFAULT_TIMEOUT_MS = 20_000

export const downloadQuery = Type.Object({ timeout_ms: timeoutMs })

const thumbnailFields = {
  width: Type.Integer({ minimum: 1 }),
  height: Type.Integer({ minimum: 1 }),
  method: Type.Optional(Type.Enum(['crop', 'scale'])),
  animated: Type.Optional(Type.Boolean()),
  timeout_ms: timeoutMs,
}
export const thumbnailQuery = Type.Object(thumbnailFields)

/** The endpoints that need no token know one parameter more. `allow_redirect` is ignored: nothing is redirected. */
const allowRemote = { allow_remote: Type.Optional(Type.Boolean()) }
export const legacyDownloadQuery = Type.Object({ timeout_ms: timeoutMs, ...allowRemote })
export const legacyThumbnailQuery = Type.Object({ ...thumbnailFields, ...allowRemote })

/** The service's form of what was asked. Scaling is the default, as everywhere in the field. */
export function askedThumbnail(query: {
  readonly width: number
  readonly height: number
  readonly method?: 'crop' | 'scale'
  readonly animated?: boolean
}): { width: number; height: number; method: 'crop' | 'scale'; animated: boolean } {
  const { width, height } = query
  return { width, height, method: query.method ?? 'scale', animated: query.animated ?? false }
}
