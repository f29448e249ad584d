import { notFound } from '../../core/errors.js'
import { reply, route } from '../route.js'

/** Metrics in the text format of Prometheus. */
export const getMetrics = route({
  id: 'getMetrics',
  method: 'GET',
  paths: ['/metrics'],
  auth: 'none',
  async handler(_call, { nodeInfo }) {
    const metrics = await nodeInfo.metrics()
    if (metrics === undefined) throw notFound('Metrics are off')
    return reply({ headers: { 'Content-Type': metrics.contentType }, body: metrics.body })
  },
})
