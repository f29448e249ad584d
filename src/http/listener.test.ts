import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, describe, expect, it } from '@jest/globals'
import { until } from '../platform/testing-until.js'
import { route } from './route.js'
import { startTestServer, type TestServer } from './testing.js'

const GUARD = { windowMs: 300, minBytes: 1_000 }
/** For clients that are not to be cut off, however little time the machine has for them. */
const PATIENT = { windowMs: 2_000, minBytes: 1_000 }
const LARGE = { text: 'x'.repeat(30_000_000) }
const routes = [
  route({
    id: 'echo',
    method: 'POST',
    paths: ['/echo'],
    auth: 'none',
    body: 'object',
    handler: ({ body }) => Promise.resolve(body),
  }),
  route({
    id: 'large',
    method: 'GET',
    paths: ['/large'],
    auth: 'none',
    handler: () => Promise.resolve(LARGE),
  }),
  route({
    id: 'wait',
    method: 'GET',
    paths: ['/wait'],
    auth: 'none',
    handler: () =>
      new Promise((resolve) => setTimeout(() => resolve({ waited: true }), 2.5 * PATIENT.windowMs)),
  }),
]

/** What nobody holds any more is else counted until the runtime finds time for it. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
}

let server: TestServer
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await server.close()
})

interface Raw {
  readonly socket: Socket
  /** All that came, once the other side has ended the connection. */
  readonly ended: Promise<string>
}

function open(): Raw {
  const { hostname, port } = new URL(server.url)
  const socket = connect(Number(port), hostname)
  sockets.push(socket)
  let text = ''
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => (text += chunk))
  socket.on('error', () => undefined)
  return { socket, ended: new Promise((resolve) => socket.on('close', () => resolve(text))) }
}

function parsed(text: string): { status: number; cors: boolean; closes: boolean; errcode: string } {
  const [head, body] = text.split('\r\n\r\n')
  return {
    status: Number(head!.split(' ')[1]),
    cors: /^Access-Control-Allow-Origin: \*\r?$/im.test(head!),
    closes: /^Connection: close\r?$/im.test(head!),
    errcode: (JSON.parse(body!) as { errcode: string }).errcode,
  }
}

describe('what is no request', () => {
  it.each([
    [
      'a header of 100 KB',
      `GET /echo HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`,
      431,
      'M_TOO_LARGE',
    ],
    ['a path of 100 KB', `GET /${'x'.repeat(100_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 431, 'M_TOO_LARGE'],
    ['something else than HTTP', 'EHLO somebody\r\n\r\n', 400, 'M_UNKNOWN'],
    ['a header with a bare line feed in a name', 'GET / HTTP/1.1\r\nHo st: a\r\n\r\n', 400, 'M_UNKNOWN'],
    [
      'two lengths',
      'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}',
      400,
      'M_UNKNOWN',
    ],
  ])('%s is answered with an errcode, and the connection ends', async (_what, bytes, status, errcode) => {
    server = await startTestServer(routes, {})
    const { socket, ended } = open()
    socket.write(bytes)
    expect(parsed(await ended)).toEqual({ status, cors: true, closes: true, errcode })
  })
})

describe('a client that is too slow', () => {
  it('with its body is answered 408 and cut off, and others are not', async () => {
    server = await startTestServer(routes, {}, {}, GUARD)
    const { socket, ended } = open()
    socket.write('POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n{"a":"')
    const drip = setInterval(() => socket.write('x'), 20)
    const others = await Promise.all(
      Array.from({ length: 20 }, () => server.request('POST', '/echo', { body: { ok: 'x'.repeat(5_000) } })),
    )
    expect(others.map(({ status }) => status)).toEqual(others.map(() => 200))
    const answer = parsed(await ended)
    clearInterval(drip)
    expect(answer).toEqual({ status: 408, cors: true, closes: true, errcode: 'M_UNKNOWN' })
  })

  it('to send anything of its body is cut off too', async () => {
    server = await startTestServer(routes, {}, {}, GUARD)
    const { socket, ended } = open()
    socket.write('POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
    expect(parsed(await ended).status).toBe(408)
  })

  it('to take its answer is cut off, and the answer is not kept for it', async () => {
    server = await startTestServer(routes, {}, {}, GUARD)
    const before = process.memoryUsage().external + process.memoryUsage().arrayBuffers
    const slow = Array.from({ length: 10 }, () => open())
    for (const { socket } of slow) {
      socket.pause()
      // More than one such answer does not wait for the same address: the others are refused, and end by themselves.
      socket.write('GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    }
    await Promise.all(slow.map(({ socket }) => once(socket, 'connect')))
    // Whose connection is accepted after theirs.
    expect((await server.request('POST', '/echo', { body: { ok: true } })).status).toBe(200)
    await until(async () => (await server.connections()) <= 1)
    await until(() => {
      collectGarbage()
      const held = process.memoryUsage().external + process.memoryUsage().arrayBuffers - before
      return held < LARGE.text.length
    })
  })

  it('is not one that takes a large answer at its own pace, or waits for us', async () => {
    server = await startTestServer(routes, {}, {}, PATIENT)
    expect((await server.request('GET', '/wait')).body).toEqual({ waited: true })
    const { socket, ended } = open()
    let length = 0
    socket.on('data', (chunk: string) => {
      length += chunk.length
      if (length > 20_000_000) return
      socket.pause()
      setTimeout(() => socket.resume(), 5)
    })
    socket.write('GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    await ended
    expect(length).toBeGreaterThan(LARGE.text.length)
  })
})
