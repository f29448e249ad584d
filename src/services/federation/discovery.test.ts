import type { SrvRecord } from 'node:dns'
import { afterEach, describe, expect, it } from '@jest/globals'
import { manualClock, systemClock } from '../../platform/clock.js'
import { systemRandom } from '../../platform/random.js'
import { createDiscovery, type DiscoveryDeps } from './discovery.js'
import { startTestServer, testConnections } from './testing-https-server.js'
import { createOutboundHttp, type OutboundHttp, type OutboundRequest } from './outbound-http.js'
import { createWellKnown } from './well-known.js'

type Records = Record<string, SrvRecord[] | string>
const srv = (name: string, port: number, priority = 0, weight = 0): SrvRecord => ({
  name,
  port,
  priority,
  weight,
})

function discovery(
  options: { delegates?: Record<string, string>; records?: Records } & Partial<DiscoveryDeps> = {},
) {
  const asked: string[] = []
  const { delegates = {}, records = {}, ...deps } = options
  const clock = manualClock()
  const subject = createDiscovery({
    clock,
    random: systemRandom,
    wellKnown: {
      delegate: (host) => {
        asked.push(`well-known ${host}`)
        return Promise.resolve(delegates[host])
      },
    },
    resolveSrv: (name) => {
      asked.push(name)
      const found = records[name] ?? 'ENOTFOUND'
      return typeof found === 'string'
        ? Promise.reject(Object.assign(new Error(found), { code: found }))
        : Promise.resolve(found)
    },
    ...deps,
  })
  return { asked, clock, resolve: (name: string) => subject.resolve(name) }
}

describe('server discovery', () => {
  it.each([
    ['1.2.3.4', { host: '1.2.3.4', port: 8448, hostHeader: '1.2.3.4', tlsServerName: '1.2.3.4' }],
    ['1.2.3.4:99', { host: '1.2.3.4', port: 99, hostHeader: '1.2.3.4:99', tlsServerName: '1.2.3.4' }],
    [
      '[2001:db8::1]',
      { host: '2001:db8::1', port: 8448, hostHeader: '[2001:db8::1]', tlsServerName: '2001:db8::1' },
    ],
    [
      '[2001:db8::1]:99',
      { host: '2001:db8::1', port: 99, hostHeader: '[2001:db8::1]:99', tlsServerName: '2001:db8::1' },
    ],
    [
      'sante.example:8449',
      { host: 'sante.example', port: 8449, hostHeader: 'sante.example:8449', tlsServerName: 'sante.example' },
    ],
  ])('takes %s at its word (steps 1 and 2)', async (name, expected) => {
    const { resolve, asked } = discovery()
    expect(await resolve(name)).toEqual([expected])
    expect(asked).toEqual([])
  })

  it.each([
    ['1.2.3.4:99', { host: '1.2.3.4', port: 99, hostHeader: '1.2.3.4:99', tlsServerName: '1.2.3.4' }],
    ['1.2.3.4', { host: '1.2.3.4', port: 8448, hostHeader: '1.2.3.4', tlsServerName: '1.2.3.4' }],
    [
      'm.example:443',
      { host: 'm.example', port: 443, hostHeader: 'm.example:443', tlsServerName: 'm.example' },
    ],
    ['m.example', { host: 'm.example', port: 8448, hostHeader: 'm.example', tlsServerName: 'm.example' }],
  ])('follows a delegation to %s (steps 3.1, 3.2 and 3.5)', async (delegate, expected) => {
    const { resolve } = discovery({ delegates: { 'sante.example': delegate } })
    expect(await resolve('sante.example')).toEqual([expected])
  })

  it.each([
    ['sante.example', {}, 'sante.example'],
    ['sante.example', { 'sante.example': 'm.example' }, 'm.example'],
  ])(
    'asks for SRV of %s with delegations %j; the certificate stays that of the name (steps 3.3, 3.4, 4 and 5)',
    async (name, delegates, owner) => {
      const expected = { host: 'node.example', port: 1234, hostHeader: owner, tlsServerName: owner }
      const fed = discovery({
        delegates,
        records: { [`_matrix-fed._tcp.${owner}`]: [srv('node.example', 1234)] },
      })
      expect(await fed.resolve(name)).toEqual([expected])
      expect(fed.asked).toEqual([`well-known ${name}`, `_matrix-fed._tcp.${owner}`])
      const old = discovery({
        delegates,
        records: { [`_matrix._tcp.${owner}`]: [srv('node.example.', 1234)] },
      })
      expect(await old.resolve(name)).toEqual([expected])
    },
  )

  it('falls back to port 8448 of the name, also when DNS fails (step 6)', async () => {
    const expected = [
      { host: 'sante.example', port: 8448, hostHeader: 'sante.example', tlsServerName: 'sante.example' },
    ]
    expect(await discovery().resolve('sante.example')).toEqual(expected)
    expect(
      await discovery({ records: { '_matrix-fed._tcp.sante.example': 'ESERVFAIL' } }).resolve(
        'sante.example',
      ),
    ).toEqual(expected)
  })

  it('leaves out what the configuration turns off, and lets it name the place', async () => {
    const { resolve, asked } = discovery({
      wellKnown: undefined,
      resolveSrv: undefined,
      placesOf: (name) => new Map([['finances.example', [{ host: '10.0.0.5', port: 9 }]], ['a.example:1', [{ host: '10.0.0.6', port: 8 }]]]).get(name),
    }) // prettier-ignore
    expect(await resolve('sante.example')).toMatchObject([{ host: 'sante.example', port: 8448 }])
    expect(await resolve('finances.example')).toEqual([
      { host: '10.0.0.5', port: 9, hostHeader: 'finances.example', tlsServerName: 'finances.example' },
    ])
    expect(await resolve('a.example:1')).toEqual([
      { host: '10.0.0.6', port: 8, hostHeader: 'a.example:1', tlsServerName: 'a.example' },
    ])
    expect(asked).toEqual([])
  })

  it('orders SRV targets by priority, draws by weight, and tries few of a thousand', async () => {
    const records = {
      '_matrix-fed._tcp.s.example': [
        srv('c.example', 1, 20),
        srv('a.example', 1, 10, 0),
        srv('b.example', 1, 10, 60_000),
      ],
    }
    const firsts = new Map<string, number>()
    for (let draw = 0; draw < 60; draw++) {
      const hosts = (await discovery({ records }).resolve('s.example')).map(({ host }) => host)
      expect(hosts[2]).toBe('c.example')
      firsts.set(hosts[0]!, (firsts.get(hosts[0]!) ?? 0) + 1)
    }
    expect(firsts.get('b.example')).toBeGreaterThan(50)
    const many = {
      '_matrix-fed._tcp.s.example': Array.from({ length: 1_000 }, (_, index) => srv(`h${index}.example`, 1)),
    }
    expect(await discovery({ records: many }).resolve('s.example')).toHaveLength(8)
  })

  it('passes over hostile SRV records, and goes nowhere when no other is left', async () => {
    const bad = [
      srv('a.example', 0),
      srv('.', 1),
      srv('', 1),
      srv('127.0.0.1', 1),
      srv('2130706433', 1),
      srv('a b', 1),
      srv('::1', 1),
      srv('a/b', 1),
      srv('x'.repeat(254), 1),
    ]
    expect(await discovery({ records: { '_matrix-fed._tcp.s.example': bad } }).resolve('s.example')).toEqual(
      [],
    )
    const mixed = [...bad, srv('good.example', 1)]
    expect(
      await discovery({ records: { '_matrix-fed._tcp.s.example': mixed } }).resolve('s.example'),
    ).toHaveLength(1)
  })

  it('finds nothing under names that are none', async () => {
    const { resolve, asked } = discovery()
    for (const name of [
      '',
      '../etc',
      'a/b',
      'a b',
      'a.example:0',
      'a.example:99999',
      '[::1',
      'user@a.example',
      'a.example#',
      'é.example',
    ]) {
      expect(await resolve(name)).toEqual([])
    }
    expect(asked).toEqual([])
  })

  it('remembers SRV answers for a while', async () => {
    const { resolve, asked, clock } = discovery({
      records: { '_matrix-fed._tcp.s.example': [srv('a.example', 1)] },
    })
    await Promise.all([resolve('s.example'), resolve('s.example')])
    expect(asked.filter((name) => name.startsWith('_'))).toHaveLength(1)
    clock.advance(300_000)
    await resolve('s.example')
    expect(asked.filter((name) => name.startsWith('_'))).toHaveLength(2)
  })
})

describe('the well-known document', () => {
  type Canned = { status?: number; headers?: Record<string, string>; body?: string } | Error
  function wellKnown(answers: Canned[], hasOwnTrust?: (name: string) => boolean) {
    const clock = manualClock()
    const requests: OutboundRequest[] = []
    const http: Pick<OutboundHttp, 'request'> = {
      request: (request) => {
        requests.push(request)
        const answer = answers[Math.min(requests.length, answers.length) - 1]!
        if (answer instanceof Error) return Promise.reject(answer)
        const { status = 200, headers = {}, body = '' } = answer
        return Promise.resolve({
          status,
          headers: new Map(Object.entries(headers)),
          body: Buffer.from(body),
          url: request.url,
        })
      },
    }
    const random = { ...systemRandom, bytes: (length: number) => new Uint8Array(length) }
    const subject = createWellKnown({ http, clock, random, ...(hasOwnTrust && { hasOwnTrust }) })
    return { clock, requests, delegate: (host: string) => subject.delegate(host) }
  }
  const good = (headers: Record<string, string> = {}): Canned => ({
    headers,
    body: '{"m.server":"m.example:443"}',
  })
  const MINUTE = 60_000

  it.each([
    ['an hour', { 'cache-control': 'public, max-age=3600' }, 60],
    ['a day when it says nothing', {}, 1_440],
    ['no less than five minutes', { 'cache-control': 'no-store' }, 5],
    ['no less than five minutes, by Expires', { expires: '0' }, 5],
    ['no more than 48 hours', { 'cache-control': 'max-age=315360000' }, 2_880],
    ['what Expires says', { expires: new Date(1_700_000_000_000 + 120 * MINUTE).toUTCString() }, 120],
    ['a day when Cache-Control is nonsense', { 'cache-control': 'max-age=-5, max-age=x' }, 1_440],
  ])('is remembered for %s', async (_, headers, minutes) => {
    const { delegate, requests, clock } = wellKnown([good(headers)])
    expect(await delegate('s.example')).toBe('m.example:443')
    clock.advance(minutes * MINUTE - 1)
    expect(await delegate('s.example')).toBe('m.example:443')
    expect(requests).toHaveLength(1)
    clock.advance(1)
    await delegate('s.example')
    expect(requests).toHaveLength(2)
    expect(requests[0]).toMatchObject({
      url: 'https://s.example/.well-known/matrix/server',
      maxBytes: 51_200,
    })
  })

  it.each<[string, Canned]>([
    ['missing', { status: 404 }],
    ['not JSON', { body: '<html>' }],
    ['not an object', { body: '["m.server"]' }],
    ['without m.server', { body: '{"server":"a.b"}' }],
    ['with a server that is no string', { body: '{"m.server":{"a":1}}' }],
    ['with a path', { body: '{"m.server":"a.example/path"}' }],
    ['with port 0', { body: '{"m.server":"a.example:0"}' }],
    ['with credentials', { body: '{"m.server":"u@a.example"}' }],
    ['unreachable', new Error('down')],
  ])('counts as absent when %s', async (_, answer) => {
    expect(await wellKnown([answer]).delegate('s.example')).toBeUndefined()
  })

  it('is asked for less and less often while it fails, up to an hour', async () => {
    const { delegate, requests, clock } = wellKnown([new Error('down')])
    const waits = [5, 10, 20, 40, 60, 60]
    await delegate('s.example')
    for (const [index, wait] of waits.entries()) {
      clock.advance(wait * MINUTE - 1)
      await delegate('s.example')
      expect(requests).toHaveLength(index + 1)
      clock.advance(1)
      await delegate('s.example')
      expect(requests).toHaveLength(index + 2)
    }
  })

  it('may have a certificate of the authority that is trusted for its server alone, or of anybody else', async () => {
    const ownName = (name: string): boolean => name === 's.example'
    const own = wellKnown([good()], ownName)
    expect(await own.delegate('s.example')).toBe('m.example:443')
    expect(own.requests.map(({ peer }) => peer)).toEqual(['s.example'])
    expect(await own.delegate('other.example')).toBe('m.example:443')
    expect(own.requests.map(({ peer }) => peer)).toEqual(['s.example', undefined])
    const website = wellKnown([new Error('another authority'), good()], ownName)
    expect(await website.delegate('s.example')).toBe('m.example:443')
    expect(website.requests.map(({ peer }) => peer)).toEqual(['s.example', undefined])
  })

  it('is not counted as failed where too many others are asked for', async () => {
    const ends: (() => void)[] = []
    const asked: string[] = []
    const http: Pick<OutboundHttp, 'request'> = {
      async request({ url }) {
        asked.push(url)
        await new Promise<void>((resolve) => ends.push(resolve))
        throw new Error('down')
      },
    }
    const subject = createWellKnown({ http, clock: manualClock(), random: systemRandom })
    const flood = Array.from({ length: 1_032 }, (_, i) => subject.delegate(`${i}.example`))
    expect(await subject.delegate('s.example')).toBeUndefined()
    const over = async (work: Promise<unknown>): Promise<void> => {
      let isOver = false
      void work.then(() => (isOver = true))
      while (!isOver) {
        for (const end of ends.splice(0)) end()
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    await over(Promise.all(flood))
    expect(asked).toHaveLength(1_032)
    await over(subject.delegate('s.example'))
    expect(asked.at(-1)).toBe('https://s.example/.well-known/matrix/server')
  })

  it('outlives failures to confirm it, but not by more than two days', async () => {
    const { delegate, clock } = wellKnown([good({ 'cache-control': 'max-age=3600' }), new Error('down')])
    await delegate('s.example')
    clock.advance(61 * MINUTE)
    expect(await delegate('s.example')).toBe('m.example:443')
    clock.advance(48 * 60 * MINUTE)
    expect(await delegate('s.example')).toBeUndefined()
  })

  it('is fetched once for all who wait', async () => {
    const { delegate, requests } = wellKnown([good()])
    expect(await Promise.all(Array.from({ length: 100 }, () => delegate('s.example')))).toEqual(
      Array(100).fill('m.example:443'),
    )
    expect(requests).toHaveLength(1)
  })
})

describe('the well-known document over real HTTPS', () => {
  const closers: (() => Promise<unknown>)[] = []
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close()
  })

  /** Everything on port 443 goes to a server of ours. */
  async function served(handler: Parameters<typeof startTestServer>[1], timeoutMs = 15_000) {
    const peer = await startTestServer(['s.example', 'other.example'], handler)
    const connections = testConnections()
    closers.push(
      () => peer.close(),
      () => connections.close(),
    )
    const http = createOutboundHttp({
      connections: {
        ...connections,
        pool: (endpoint) =>
          connections.pool({ ...endpoint, port: endpoint.port === 443 ? peer.port : endpoint.port }),
      },
      userAgent: 'test',
      now: () => systemClock.monotonic(),
    })
    const subject = createWellKnown({ http, clock: systemClock, random: systemRandom, timeoutMs })
    return { peer, delegate: () => subject.delegate('s.example') }
  }

  it('is read, through redirects to other hosts too', async () => {
    const { delegate, peer } = await served((request, response) => {
      if (request.headers.host === 's.example')
        response.writeHead(302, { location: 'https://other.example/x?y' }).end()
      else response.end('{"m.server":"m.example"}')
    })
    expect(await delegate()).toBe('m.example')
    expect(peer.seen.map(({ host, url }) => `${host}${url}`)).toEqual([
      's.example/.well-known/matrix/server',
      'other.example/x?y',
    ])
  })

  it.each<[string, Parameters<typeof startTestServer>[1], number]>([
    ['larger than 50 KiB', (_, response) => response.end(`{"m.server":"m.example"}${' '.repeat(51_200)}`), 1],
    [
      'a redirect to itself',
      (request, response) => response.writeHead(301, { location: request.url }).end(),
      1,
    ],
    [
      'an endless chain of redirects',
      (request, response) => response.writeHead(301, { location: `${request.url}x` }).end(),
      6,
    ],
    [
      'a redirect to http',
      (_, response) => response.writeHead(301, { location: 'http://s.example/' }).end(),
      1,
    ],
    [
      'a redirect to a file',
      (_, response) => response.writeHead(301, { location: 'file:///etc/passwd' }).end(),
      1,
    ],
    [
      'a redirect to a private address',
      (_, response) => response.writeHead(301, { location: 'https://10.0.0.1/' }).end(),
      1,
    ],
    [
      'a redirect with credentials',
      (_, response) => response.writeHead(301, { location: 'https://a:b@s.example/' }).end(),
      1,
    ],
    ['a redirect to nowhere', (_, response) => response.writeHead(301, { location: 'https://[' }).end(), 1],
  ])('counts as absent when it is %s', async (_, handler, requests) => {
    const { delegate, peer } = await served(handler)
    expect(await delegate()).toBeUndefined()
    expect(peer.seen.length).toBe(requests)
  })

  // Time enough for the handshake on a busy machine, and far less than the test may take.
  it.each<[string, Parameters<typeof startTestServer>[1]]>([
    ['silent', () => undefined],
    ['dripping', (_, response) => void setInterval(() => response.write(' '), 50).unref()],
  ])('counts as absent when its server is %s', async (_, handler) => {
    const { delegate, peer } = await served(handler, 2_000)
    expect(await delegate()).toBeUndefined()
    expect(peer.seen.length).toBe(1)
  })
})
