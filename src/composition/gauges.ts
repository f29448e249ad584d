import type { Clock } from '../platform/clock.js'
import type { ModerationDesk } from '../services/moderation-desk/moderation-desk.js'
import type { NodeListService } from '../services/node-list/node-list.js'
import type { NodeMetrics } from '../services/node-metrics.js'
import type { Sender } from '../services/replication/sending/sender.js'
import { waitingForAppservices } from '../storage/tables/appservices.js'
import { waitingEdus, waitingPdus } from '../storage/tables/outbox.js'
import { stagedCount } from '../storage/tables/staging.js'
import type { Store, Tx } from '../storage/tx.js'

/** Nobody needs to know how much more it is, and counting it would take long. */
const COUNTED_UP_TO = 100_000

/** Numbers that are read when the metrics are asked for: what waits to go out and to come in. */
export function watchQueues(deps: {
  readonly nodeMetrics: Pick<NodeMetrics, 'watch'>
  readonly store: Store
  readonly sender: Pick<Sender, 'stats'>
}): void {
  const { nodeMetrics, store, sender } = deps
  const rows = (name: string, help: string, count: (limit: number) => Tx<number>): void =>
    nodeMetrics.watch(name, `${help} At most ${COUNTED_UP_TO} are counted.`, () =>
      store.read('metrics.count', () => count(COUNTED_UP_TO)),
    )
  rows('outbox_pdus', 'Events that wait for other servers, once for each of these.', waitingPdus)
  rows('outbox_edus', 'Short-lived messages that wait on disk for other servers.', waitingEdus)
  rows('staged_pdus', 'Events of other servers that are on disk and not yet applied.', stagedCount)
  rows(
    'appservice_events',
    'Events that wait for application services, once for each.',
    waitingForAppservices,
  )
  nodeMetrics.watch(
    'destinations_active',
    'Other servers for which something waits.',
    () => sender.stats().active,
  )
  nodeMetrics.watch(
    'destinations_failing',
    'Of these, those that did not take it last time.',
    () => sender.stats().failing,
  )
}

/** How far the node list has come, and how long it lasts. */
export function watchNodeList(deps: {
  readonly nodeMetrics: NodeMetrics
  readonly nodeList: NodeListService
  readonly clock: Clock
}): void {
  const { nodeMetrics, nodeList, clock } = deps
  nodeMetrics.watch(
    'node_list_sequence',
    'The number of the node list that is held; 0 without one.',
    () => nodeList.status().sequence ?? 0,
  )
  nodeMetrics.watch(
    'node_list_seconds_left',
    'How long the node list lasts; less than 0 when it has run out, and 0 without one.',
    () => {
      const { expiresAt } = nodeList.status()
      return expiresAt === undefined ? 0 : Math.round((expiresAt - clock.now()) / 1_000)
    },
  )
}

/** What waits for the moderators. */
export function watchDesk({
  nodeMetrics,
  desk,
}: {
  readonly nodeMetrics: NodeMetrics
  readonly desk: Pick<ModerationDesk, 'counts'>
}): void {
  nodeMetrics.watch('reports_open', 'Reports that are not closed.', async () => (await desk.counts()).open)
  nodeMetrics.watch(
    'reports_overdue',
    'Of these, those that should be.',
    async () => (await desk.counts()).overdue,
  )
}
