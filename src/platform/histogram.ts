import type { Metric } from 'prom-client'

/** Counts of values by upper bound, for each combination of label values. */
export interface Histogram<L extends string> {
  observe(labels: Readonly<Record<L, string>>, value: number): void
  /** What a registry of prom-client takes. */
  readonly metric: Metric
}

interface Counts {
  readonly labels: Readonly<Record<string, string>>
  /** Of each bucket alone; the last one is of what is beyond all bounds. */
  readonly buckets: number[]
  sum: number
  count: number
}

/**
 * Says to a scraper what prom-client's histogram says. That one checks and sorts the labels again for each value, which is a part of each
 * long poll's answer that can be seen: a read of the store is timed some ten times in it. `buckets`: upper bounds, rising.
 */
export function createHistogram<L extends string>(
  name: string,
  help: string,
  buckets: readonly number[],
  labelNames: readonly L[],
): Histogram<L> {
  const byLabels = new Map<string, Counts>()

  function countsOf(labels: Readonly<Record<L, string>>): Counts {
    let key = ''
    for (const label of labelNames) key += `${labels[label]}\n`
    let counts = byLabels.get(key)
    if (counts === undefined) {
      counts = { labels: { ...labels }, buckets: Array<number>(buckets.length + 1).fill(0), sum: 0, count: 0 }
      byLabels.set(key, counts)
    }
    return counts
  }

  function valuesOf({ labels, buckets: own, sum, count }: Counts): object[] {
    let below = 0
    const bounds = buckets.map((le, i) => {
      below += own[i]!
      return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: below }
    })
    return [
      ...bounds,
      { metricName: `${name}_bucket`, labels: { le: '+Inf', ...labels }, value: count },
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: count },
    ]
  }

  const metric = {
    name,
    async get() {
      return {
        name,
        help,
        type: 'histogram',
        aggregator: 'sum',
        values: [...byLabels.values()].flatMap(valuesOf),
      }
    },
    reset: () => byLabels.clear(),
  }
  return {
    observe(labels, value) {
      const counts = countsOf(labels)
      let at = 0
      while (at < buckets.length && value > buckets[at]!) at++
      counts.buckets[at]! += 1
      counts.sum += value
      counts.count++
    },
    // A registry asks for no more of a metric than this.
    metric: metric as unknown as Metric,
  }
}
