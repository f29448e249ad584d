import type { Route } from '../route.js'
import { getWellknown } from './client.js'
import { getHealth } from './health.js'
import { getLandingPage } from './landing.js'
import { getMetrics } from './metrics.js'
import { getWellknownPolicy } from './policy-server.js'
import { getWellKnown } from './server.js'
import { getWellknownSupport } from './support.js'

/** The routes about the node itself, by the listener resource that they belong to. */
export const nodeRoutes: {
  readonly client: readonly Route[]
  readonly federation: readonly Route[]
  readonly health: readonly Route[]
  readonly metrics: readonly Route[]
} = {
  client: [getLandingPage, getWellknown, getWellknownSupport, getWellknownPolicy],
  federation: [getWellKnown],
  health: [getHealth],
  metrics: [getMetrics],
}
