import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from '@jest/globals'
import { manualClock } from '../../platform/clock.js'
import { silentLogger } from '../../platform/logger.js'
import { createMetrics } from '../../platform/metrics.js'
import { createNodeInfo, type NodeInfoOptions } from '../../services/node-info.js'
import { createNodeMetrics } from '../../services/node-metrics.js'
import type { Services } from '../../services/services.js'
import { openTestStore } from '../../storage/testing.js'
import type { Store } from '../../storage/tx.js'
import { createApp } from '../app.js'
import { createRateLimiter } from '../rate-limit.js'
import { nodeRoutes } from './routes.js'

const ABOUT: NodeInfoOptions = {
  serverName: 'ministry.example',
  version: '1.2.3',
  publicBaseurl: 'https://matrix.ministry.example',
  federation: 'closed',
  registration: 'token',
  adminContact: 'mailto:it@ministry.example',
  wellKnownClientExtra: { 'org.example.extra': { on: true } },
  wellKnownServer: 'matrix.ministry.example:443',
  support: { contacts: [{ role: 'm.role.admin', email_address: 'it@ministry.example' }] },
}

const BARE: NodeInfoOptions = {
  serverName: 'ministry.example',
  version: '1.2.3',
  federation: 'open',
  registration: 'closed',
  wellKnownClientExtra: {},
  support: { contacts: [] },
}

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

interface Setup {
  readonly about?: NodeInfoOptions
  readonly store?: Store
  readonly metrics?: boolean
}

async function start({ about = ABOUT, store, metrics = true }: Setup = {}) {
  const opened = store ?? (await openTestStore())
  closers.push(() => opened.close())
  const clock = manualClock()
  const registry = createMetrics({ process: false })
  const nodeMetrics = createNodeMetrics(registry)
  const nodeInfo = createNodeInfo({
    store: opened,
    clock,
    logger: silentLogger,
    ...(metrics ? { metrics: registry } : {}),
    options: about,
  })
  const refuse = () => Promise.reject(new Error('not asked for here'))
  const app = createApp({
    routes: Object.values(nodeRoutes).flat(),
    services: { nodeInfo } as Services,
    logger: silentLogger,
    clock,
    rateLimiter: createRateLimiter({}, clock),
    trustedProxies: [],
    stopping: new AbortController().signal,
    authenticate: refuse,
    authenticateServer: refuse,
    admitServer: () => undefined,
    onAnswer: nodeMetrics.onAnswer,
  })
  const server: Server = createServer((request, response) => void app.callback()(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => new Promise((resolve) => server.close(resolve)))
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { get: (path: string) => fetch(base + path), clock, nodeMetrics }
}

const brokenStore = (read: () => Promise<never>): Store => ({
  dialect: 'sqlite',
  read,
  write: read,
  position: () => Promise.resolve(0),
  close: () => Promise.resolve(),
})

describe('GET /', () => {
  it('says what the node is, that it works, and how to connect', async () => {
    const { get } = await start()
    const answer = await get('/')
    const html = await answer.text()
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(html).toContain('ministry.example')
    expect(html).toContain('Chancery 1.2.3')
    expect(html).toContain('This server works.')
    expect(html).toContain('<code>https://matrix.ministry.example</code>')
    expect(html).toContain('Closed: its users can talk to people on a list of known servers.')
    expect(html).toContain('enter your registration token')
    expect(html).toContain('mailto:it@ministry.example')
  })

  it('loads nothing from elsewhere, and may not', async () => {
    const { get } = await start()
    const answer = await get('/')
    const html = await answer.text()
    expect(html).not.toMatch(/<(script|link|img|iframe|object|embed|video|audio|form|base)\b/i)
    expect(html).not.toMatch(/\b(src|href|action|srcset|data)\s*=/i)
    expect(html).not.toMatch(/url\(|@import/i)
    const policy = answer.headers.get('content-security-policy') ?? ''
    expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]+';/)
    expect(policy).not.toMatch(/unsafe|https?:|\*/)
  })

  it('is in the one style that its policy admits', async () => {
    const { get } = await start()
    const answer = await get('/')
    const style = /<style>([^]*)<\/style>/.exec(await answer.text())?.[1] ?? ''
    const digest = Buffer.from(
      await crypto.subtle.digest('SHA-256', new TextEncoder().encode(style)),
    ).toString('base64')
    expect(answer.headers.get('content-security-policy')).toContain(`'sha256-${digest}'`)
  })

  it('shows what an administrator wrote as text, whatever it is', async () => {
    const { get } = await start({ about: { ...ABOUT, adminContact: `"><script>alert('x')</script>&amp;` } })
    const html = await (await get('/')).text()
    expect(html).not.toContain('<script>')
    expect(html).toContain('&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;amp;')
  })

  it('says so when the storage does not answer, and when anybody may register', async () => {
    const { get } = await start({
      about: { ...ABOUT, registration: 'open', federation: 'open' },
      store: brokenStore(() => Promise.reject(new Error('disk on fire'))),
    })
    const html = await (await get('/')).text()
    expect(html).toContain('storage does not answer')
    expect(html).not.toContain('disk on fire')
    expect(html).toContain('Open: anybody may make an account.')
  })

  it('does not promise a node called localhost the company of others', async () => {
    const page = async (serverName: string): Promise<string> => {
      const { get } = await start({ about: { ...ABOUT, serverName, federation: 'open' } })
      return (await get('/')).text()
    }
    expect(await page('localhost:8448')).toContain('This machine only')
    expect(await page('localhost.ministry.example')).toContain('on every Matrix server')
  })
})

describe('/.well-known/matrix', () => {
  it('client names the address, and the keys of the configuration', async () => {
    const { get } = await start()
    const answer = await get('/.well-known/matrix/client')
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    expect(await answer.json()).toEqual({
      'm.homeserver': { base_url: 'https://matrix.ministry.example' },
      'org.example.extra': { on: true },
    })
  })

  it('server names the host and port for other servers', async () => {
    const { get } = await start()
    expect(await (await get('/.well-known/matrix/server')).json()).toEqual({
      'm.server': 'matrix.ministry.example:443',
    })
  })

  it('support names the contacts', async () => {
    const { get } = await start({
      about: { ...ABOUT, support: { contacts: [], page: 'https://help.example' } },
    })
    expect(await (await get('/.well-known/matrix/support')).json()).toEqual({
      support_page: 'https://help.example',
    })
  })

  it.each(['client', 'server', 'support', 'policy_server'])(
    '%s is 404 M_NOT_FOUND where nothing is configured',
    async (name) => {
      const { get } = await start({ about: BARE })
      const answer = await get(`/.well-known/matrix/${name}`)
      expect(answer.status).toBe(404)
      expect(await answer.json()).toMatchObject({ errcode: 'M_NOT_FOUND' })
    },
  )
})

describe('GET /health', () => {
  it('is 200 while the store answers', async () => {
    const { get } = await start()
    const answer = await get('/health')
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({ status: 'ok', checks: { store: 'ok' } })
  })

  it('is 503 while it does not, without telling strangers why', async () => {
    const { get } = await start({
      store: brokenStore(() => Promise.reject(new Error('/var/lib secret path'))),
    })
    const answer = await get('/health')
    expect(answer.status).toBe(503)
    expect(await answer.text()).not.toContain('secret path')
  })

  it('is 503 within seconds when the store hangs', async () => {
    const { get } = await start({ store: brokenStore(() => new Promise(() => undefined)) })
    const answer = await get('/health')
    expect(answer.status).toBe(503)
    expect(await answer.json()).toEqual({ status: 'failing', checks: { store: 'does not answer' } })
  })

  it('asks the store once a second, however often it is called', async () => {
    let reads = 0
    const { get, clock } = await start({
      store: brokenStore(() => {
        reads += 1
        return Promise.reject(new Error('no'))
      }),
    })
    await Promise.all([get('/health'), get('/health'), get('/')])
    expect(reads).toBe(1)
    clock.advance(1_000)
    await get('/health')
    expect(reads).toBe(2)
  })
})

describe('GET /metrics', () => {
  it('counts requests by operation and status, not by path', async () => {
    const { get, nodeMetrics } = await start()
    await get('/health')
    await get('/no/such/path')
    nodeMetrics.onSent(3)
    nodeMetrics.onSync('initial', 0.02)
    nodeMetrics.onStore({ kind: 'group', ms: 4, bodies: 7 })
    nodeMetrics.watch('queue_length', 'A queue.', () => 42)
    const answer = await get('/metrics')
    const text = await answer.text()
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    expect(text).toContain('chancery_http_request_duration_seconds_count{route="getHealth",status="200"} 1')
    expect(text).toContain(
      'chancery_http_request_duration_seconds_count{route="unrecognized",status="404"} 1',
    )
    expect(text).not.toContain('/no/such/path')
    expect(text).toContain('chancery_events_sent_total 3')
    expect(text).toContain('chancery_sync_duration_seconds_count{kind="initial"} 1')
    expect(text).toContain('chancery_store_group_bodies_sum 7')
    expect(text).toContain('chancery_queue_length 42')
  })

  it('is 404 while metrics are off', async () => {
    const { get } = await start({ metrics: false })
    expect((await get('/metrics')).status).toBe(404)
  })

  it('tells the event-loop delay and the memory of the process', async () => {
    const { body } = await createMetrics().text()
    expect(body).toContain('nodejs_eventloop_lag_p99_seconds')
    expect(body).toContain('process_resident_memory_bytes')
  })
})
