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
  readonly nodeMetrics: NodeMetrics
  readonly store: Store
  readonly sender: Sender
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
