import type { Config } from '../config/schema.js'
import type { Clock } from '../platform/clock.js'
import type { Logger } from '../platform/logger.js'
import type { Random } from '../platform/random.js'
import type { AuditTrail } from '../services/audit/trail.js'
import type { OwnKeys } from '../services/federation/own-keys.js'
import { createTransport, type Transport } from '../services/federation/transport.js'
import { fileSource, urlSource, type ListSource } from '../services/node-list/list-source.js'
import { createNodeList, type NodeListService } from '../services/node-list/node-list.js'
import type { NodeMetrics } from '../services/node-metrics.js'
import { createSender, type Sender } from '../services/replication/sending/sender.js'
import type { Store } from '../storage/tx.js'
import { VERSION } from '../version.js'
import { transportOptions } from './options.js'
import { trustOf } from './trust.js'

/** What talks to other servers, and who they are. Resolves when it is known whom to talk with. */
export async function buildTransport(deps: {
  readonly config: Config
  readonly store: Store
  readonly audit: AuditTrail
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly serverName: string
  readonly ownKeys: OwnKeys
  readonly isBanned: (serverName: string) => boolean
  readonly nodeMetrics?: NodeMetrics
}): Promise<{
  readonly transport: Transport
  readonly sender: Sender
  readonly nodeList: NodeListService | undefined
}> {
  const { config, ownKeys, nodeMetrics, ...base } = deps
  const { file, url, warn_before: warnMs, grace: graceMs } = config.node_list
  const sourceOf = (): ListSource | undefined => {
    if (file !== undefined) return fileSource(file)
    if (url === undefined) return undefined
    return urlSource(url, { request: (request) => transport.http.request(request) })
  }
  const source = sourceOf()
  const nodeList =
    source === undefined || !config.federation.enabled
      ? undefined
      : createNodeList({
          ...base,
          source,
          options: { trust: trustOf(config), warnMs, graceMs },
          ownKey: () => ownKeys.signer.publicKey,
          // Sends what waited for a member that came back, and forgets what was for one that went.
          onChanged: (names) => sender.wake(names.filter((name) => name !== base.serverName)),
          ...(nodeMetrics === undefined ? {} : { onRefresh: nodeMetrics.countNodeLists() }),
        })
  const transport = createTransport({
    ...base,
    signer: ownKeys.signer,
    retired: ownKeys.retired,
    userAgent: `Chancery/${VERSION}`,
    ...(nodeList === undefined ? {} : { listed: nodeList.peers }),
    options: transportOptions(config),
  })
  const { backoff } = config.federation
  const sender = createSender({
    ...base,
    client: transport.client,
    federates: transport.federates,
    ...(nodeMetrics === undefined ? {} : { onAttempt: nodeMetrics.onAttempt }),
    options: { backoff: { initialMs: backoff.initial, maxMs: backoff.max } },
  })
  await nodeList?.start()
  return { transport, sender, nodeList }
}
