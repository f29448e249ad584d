import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'
import { createHistogram } from './histogram.js'

/** Seconds; from a cached read to a long poll. */
export const DURATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

export interface Metrics {
  /** Counts up. Label values come from small fixed sets, never from a request. */
  counter<L extends string = never>(
    name: string,
    help: string,
    labels?: readonly L[],
  ): (labels: Readonly<Record<L, string>>, by?: number) => void
  histogram<L extends string = never>(
    name: string,
    help: string,
    buckets: readonly number[],
    labels?: readonly L[],
  ): (labels: Readonly<Record<L, string>>, value: number) => void
  /** Reads a value each time the metrics are asked for. */
  gauge(name: string, help: string, read: () => number | Promise<number>): void
  /** What `/metrics` answers. */
  text(): Promise<{ readonly contentType: string; readonly body: string }>
}

/** A registry of its own, so that several nodes in one process do not share counters. Names get the prefix `chancery_`. */
export function createMetrics(options: { readonly process?: boolean } = {}): Metrics {
  const registry = new Registry()
  // Memory, CPU, handles, garbage collection and event-loop delay of the process.
  if (options.process !== false) collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const full = (name: string): string => `chancery_${name}`
  return {
    counter(name, help, labels = []) {
      const counter = new Counter({ name: full(name), help, labelNames: [...labels], registers })
      return (values, by = 1) => counter.inc(values, by)
    },
    histogram(name, help, buckets, labels = []) {
      const { observe, metric } = createHistogram(full(name), help, buckets, labels)
      registry.registerMetric(metric)
      return observe
    },
    gauge(name, help, read) {
      new Gauge({
        name: full(name),
        help,
        registers,
        async collect() {
          this.set(await read())
        },
      })
    },
    async text() {
      return { contentType: registry.contentType, body: await registry.metrics() }
    },
  }
}
