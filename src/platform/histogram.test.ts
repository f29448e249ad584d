import { describe, expect, it } from '@jest/globals'
import { Histogram, Registry } from 'prom-client'
import { createHistogram } from './histogram.js'

const BUCKETS = [0.01, 0.1, 1, 10]

describe('a histogram', () => {
  it('is told to a scraper as that of prom-client is', async () => {
    const [theirs, ours] = [new Registry(), new Registry()]
    const other = new Histogram({
      name: 'durations',
      help: 'How "long"\nit took.',
      buckets: BUCKETS,
      labelNames: ['kind', 'status'],
      registers: [theirs],
    })
    const own = createHistogram('durations', 'How "long"\nit took.', BUCKETS, ['kind', 'status'])
    ours.registerMetric(own.metric)
    expect(await ours.metrics()).toBe(await theirs.metrics())
    const values = [0, 0.01, 0.010001, 0.5, 1, 3, 10, 10.5, 1_000]
    for (const [i, value] of values.entries()) {
      for (const labels of [
        { kind: 'read', status: '200' },
        { status: String(i % 3), kind: 'wr"ite\\' },
      ]) {
        other.observe(labels, value)
        own.observe(labels, value)
      }
    }
    const text = await ours.metrics()
    expect(text.split('\n').toSorted()).toEqual((await theirs.metrics()).split('\n').toSorted())
    expect(text).toContain('durations_bucket{le="0.01",kind="read",status="200"} 2')
    expect(text).toContain('durations_count{kind="read",status="200"} 9')
  })

  it('without labels has one count of each', async () => {
    const registry = new Registry()
    const { observe, metric } = createHistogram('sizes', 'Sizes.', [1, 2], [])
    registry.registerMetric(metric)
    observe({}, 2)
    observe({}, 3)
    expect((await registry.metrics()).split('\n').slice(2, 7)).toEqual([
      'sizes_bucket{le="1"} 0',
      'sizes_bucket{le="2"} 1',
      'sizes_bucket{le="+Inf"} 2',
      'sizes_sum 5',
      'sizes_count 2',
    ])
  })
})
