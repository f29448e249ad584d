import { afterEach, describe, expect, it } from '@jest/globals'
import { connect, type Socket } from 'node:net'
import { until } from '../platform/testing-until.js'
import { route } from './route.js'
import { startTestServer, type TestServer } from './testing.js'

const SIZE = 14 * 1024 * 1024

let server: TestServer
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await server.close()
})

/** Asks and takes no more of the answer than its head, unless told to. */
async function ask(path: string): Promise<{ status: number; socket: Socket }> {
  const { hostname, port } = new URL(server.url)
  const socket = connect(Number(port), hostname)
  sockets.push(socket)
  socket.on('error', () => undefined)
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)
  const status = await new Promise<number>((resolve) => {
    socket.once('data', (head: Buffer) => {
      socket.pause()
      resolve(Number(head.toString('latin1').split(' ')[1]))
    })
  })
  return { status, socket }
}

describe('answers that nobody takes', () => {
  it('take a bounded part of the memory, and are given again once they are taken', async () => {
    const answer = (id: string, text: string) =>
      route({ id, method: 'GET', paths: [`/${id}`], auth: 'none', handler: () => Promise.resolve({ text }) })
    server = await startTestServer([answer('large', 'x'.repeat(SIZE)), answer('small', 'x')], {})
    const first = await ask('/large')
    const second = await ask('/large')
    expect([first.status, second.status]).toEqual([200, 200])
    expect((await ask('/large')).status).toBe(429)
    // What is small goes on.
    expect((await ask('/small')).status).toBe(200)
    first.socket.resume()
    second.socket.destroy()
    await until(async () => (await ask('/large')).status === 200)
  })
})
