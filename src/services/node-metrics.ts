import { DURATION_BUCKETS, type Metrics } from '../platform/metrics.js'
import type { StoreObserver } from '../storage/observer.js'

/** What the parts of a node report about themselves; each is cheap enough to call on every request. */
export interface NodeMetrics {
  /** An answered request. `route` is an operationId, or `unrecognized`. */
  readonly onAnswer: (route: string, method: string, status: number, seconds: number) => void
  /** One computed answer to /sync. */
  readonly onSync: (kind: 'initial' | 'incremental', seconds: number) => void
  /** Events that this node created and stored. */
  readonly onSent: (count: number) => void
  /** Events of other servers that were applied to rooms. */
  readonly onReceived: (count: number) => void
  /** One attempt to send a transaction to another server. */
  readonly onAttempt: (outcome: {
    readonly ok: boolean
    readonly pdus: number
    readonly edus: number
  }) => void
  /** One attempt to send a transaction to an application service. */
  readonly onAppserviceAttempt: (appserviceId: string, ok: boolean) => void
  /** For a node that goes by a list: gives what each look at its source is told to. To be called once. */
  readonly countNodeLists: () => (outcome: string) => void
  /** For a node that looks for viruses: gives what each look of the engine is told to. To be called once. */
  readonly countScans: () => (outcome: string) => void
  /** Reads, commits and syncs of the store: its `observe` option. */
  readonly onStore: StoreObserver
  /** A number that is read when the metrics are asked for, such as the length of a queue. */
  readonly watch: (name: string, help: string, read: () => number | Promise<number>) => void
}

/** The metrics of a node; see docs/operations.md for what to watch. */
export function createNodeMetrics(metrics: Metrics): NodeMetrics {
  const answers = metrics.histogram(
    'http_request_duration_seconds',
    'Time to answer a request; a long poll includes its wait.',
    DURATION_BUCKETS,
    ['route', 'status'],
  )
  const syncs = metrics.histogram(
    'sync_duration_seconds',
    'Time to compute one answer to /sync, waiting not counted.',
    DURATION_BUCKETS,
    ['kind'],
  )
  const sent = metrics.counter('events_sent_total', 'Events created by users of this node.')
  const received = metrics.counter('events_received_total', 'Events of other servers applied to rooms.')
  const attempts = metrics.counter(
    'federation_transactions_total',
    'Transactions offered to other servers, by whether they took them.',
    ['outcome'],
  )
  const delivered = metrics.counter(
    'federation_delivered_total',
    'Events (pdu) and short-lived messages (edu) that other servers have taken; each destination counts.',
    ['kind'],
  )
  const appserviceAttempts = metrics.counter(
    'appservice_transactions_total',
    'Transactions offered to application services, by whether they took them.',
    ['appservice', 'outcome'],
  )
  const groups = metrics.histogram(
    'store_group_bodies',
    'Transaction bodies made durable by one commit.',
    [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
  )
  const store = metrics.histogram(
    'store_duration_seconds',
    'Time of the work of the store: one read or write body, one group of bodies, one sync, one checkpoint.',
    DURATION_BUCKETS,
    ['kind'],
  )
  return {
    onAnswer: (route, _method, status, seconds) => answers({ route, status: String(status) }, seconds),
    onSync: (kind, seconds) => syncs({ kind }, seconds),
    onSent: (count) => sent({}, count),
    onReceived: (count) => received({}, count),
    onAttempt({ ok, pdus, edus }) {
      attempts({ outcome: ok ? 'taken' : 'failed' })
      if (!ok) return
      delivered({ kind: 'pdu' }, pdus)
      delivered({ kind: 'edu' }, edus)
    },
    onAppserviceAttempt: (appservice, ok) =>
      appserviceAttempts({ appservice, outcome: ok ? 'taken' : 'failed' }),
    countNodeLists() {
      const refreshes = metrics.counter(
        'node_list_refreshes_total',
        'Looks at the source of the node list, by what came of them.',
        ['outcome'],
      )
      return (outcome) => refreshes({ outcome })
    },
    countScans() {
      const scans = metrics.counter(
        'content_scans_total',
        'Files that the content scanner was asked about, by what it said; failed: it gave no answer.',
        ['outcome'],
      )
      return (outcome) => scans({ outcome })
    },
    onStore(event) {
      store({ kind: event.kind }, event.ms / 1000)
      if (event.kind === 'group') groups({}, event.bodies)
    },
    watch: (name, help, read) => metrics.gauge(name, help, read),
  }
}
