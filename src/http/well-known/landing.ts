import { reply, route } from '../route.js'
import { LANDING_CSP, landingPage } from './landing-page.js'

/** For a person who opens the node's address in a browser. */
export const getLandingPage = route({
  id: 'getLandingPage',
  method: 'GET',
  paths: ['/'],
  auth: 'none',
  rateLimit: 'public',
  async handler(_call, { nodeInfo }) {
    return reply({
      headers: {
        'Content-Type': 'text/html; charset=utf-8',
        'Content-Security-Policy': LANDING_CSP,
        'X-Content-Type-Options': 'nosniff',
        'Referrer-Policy': 'no-referrer',
        'Cache-Control': 'no-cache',
      },
      body: landingPage(nodeInfo.about, await nodeInfo.health()),
    })
  },
})
