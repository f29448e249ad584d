import type { Config } from '../config/schema.js'
import type { Clock } from '../platform/clock.js'
import type { Logger } from '../platform/logger.js'
import type { Metrics } from '../platform/metrics.js'
import { createNodeInfo, type NodeInfo } from '../services/node-info.js'
import { createServerInfo, type ServerInfo } from '../services/server-info/server-info.js'
import type { Store } from '../storage/tx.js'
import { nodeInfoOptions, serverInfoOptions } from './options.js'

/** What the node says of itself. */
export function buildInfo(deps: {
  readonly config: Config
  readonly store: Store
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics | undefined
  readonly writeFault?: () => string | undefined
}): { readonly nodeInfo: NodeInfo; readonly serverInfo: ServerInfo } {
  const { config, metrics, writeFault, ...base } = deps
  return {
    nodeInfo: createNodeInfo({
      ...base,
      ...(metrics === undefined ? {} : { metrics }),
      ...(writeFault === undefined ? {} : { writeFault }),
      options: nodeInfoOptions(config),
    }),
    serverInfo: createServerInfo({ clock: deps.clock, options: serverInfoOptions(config) }),
  }
}
