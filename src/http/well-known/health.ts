import { reply, route } from '../route.js'

/** For load balancers and service managers: 200 while the node can serve, else 503. */
export const getHealth = route({
  id: 'getHealth',
  method: 'GET',
  paths: ['/health'],
  auth: 'none',
  async handler(_call, { nodeInfo }) {
    const health = await nodeInfo.health()
    return reply({
      status: health.ok ? 200 : 503,
      headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' },
      body: JSON.stringify({ status: health.ok ? 'ok' : 'failing', checks: health.checks }),
    })
  },
})
