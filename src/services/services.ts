import type { Media } from './media/media.js'
import type { NodeInfo } from './node-info.js'

/** Everything that an endpoint may call. Built in `server.ts`, in this order. */
export interface Services {
  readonly nodeInfo: NodeInfo
  readonly media: Media
}
