import { createSocket } from 'node:dgram'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from '@jest/globals'
import { formatSyslog, openSyslog, type Syslog, type SyslogMessage } from './syslog.js'
import { until } from './testing-until.js'

const ended: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ended.splice(0).toReversed()) await end()
})

const message = (text: string): SyslogMessage => ({
  ts: 1_700_000_000_123,
  severity: 'notice',
  messageId: 'session.opened',
  text,
})
const LINE = '<109>1 2023-11-14T22:13:20.123Z finances.example chancery - session.opened - '

function opened(target: Parameters<typeof openSyslog>[0]): Syslog {
  const syslog = openSyslog(target, 'finances.example')
  ended.push(() => syslog.close())
  return syslog
}

/** A log server that keeps what it reads. */
async function listening(address: { readonly path: string } | { readonly port: number }): Promise<{
  readonly server: Server
  readonly sockets: Socket[]
  readonly read: () => string
}> {
  const sockets: Socket[] = []
  let text = ''
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
    socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', ...address }, resolve))
  ended.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { server, sockets, read: () => text }
}

describe('messages for a log server', () => {
  it('are written by RFC 5424, whatever the names are', () => {
    expect(formatSyslog('finances.example', message('{"é":1}'))).toBe(`${LINE}{"é":1}`)
    const odd = formatSyslog('a b\n', { ...message('x'), severity: 'warning', messageId: `ü ${'m'.repeat(99)}` }) // prettier-ignore
    expect(odd).toBe(`<108>1 2023-11-14T22:13:20.123Z a_b_ chancery - __${'m'.repeat(30)} - x`)
  })

  it('go over TCP with their length in bytes, and again over a new connection when the old one has ended', async () => {
    const { server, sockets, read } = await listening({ port: 0 })
    const { port } = server.address() as AddressInfo
    const syslog = opened({ transport: 'tcp', host: '127.0.0.1', port })
    const frame = (text: string): string => `${Buffer.byteLength(LINE + text)} ${LINE}${text}`
    await syslog.send([message('é'), message('two')])
    await until(() => read() === frame('é') + frame('two'))
    sockets[0]!.destroy()
    // What was on its way when the connection broke is lost; what comes later is not.
    await until(async () => {
      await syslog.send([message('three')]).catch(() => undefined)
      return read().includes(frame('three'))
    })
  })

  it('go to a socket of this machine', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'chancery-syslog-'))
    ended.push(() => rm(folder, { recursive: true }))
    const path = join(folder, 'log')
    const { read } = await listening({ path })
    await opened({ transport: 'unix', path }).send([message('one')])
    await until(() => read().endsWith('one'))
  })

  it('go over UDP, one in each datagram', async () => {
    const received: string[] = []
    const server = createSocket('udp4')
    server.on('message', (bytes) => received.push(bytes.toString()))
    await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve))
    ended.push(() => new Promise<void>((resolve) => server.close(() => resolve())))
    const syslog = opened({ transport: 'udp', host: '127.0.0.1', port: server.address().port })
    await syslog.send([message('one'), message('two')])
    await until(() => received.length === 2)
    expect(received).toEqual([`${LINE}one`, `${LINE}two`])
  })

  it('are told not to have gone where nobody listens', async () => {
    const { server } = await listening({ port: 0 })
    const { port } = server.address() as AddressInfo
    await new Promise((resolve) => server.close(resolve))
    const syslog = opened({ transport: 'tcp', host: '127.0.0.1', port })
    await expect(syslog.send([message('one')])).rejects.toThrow('ECONNREFUSED')
  })
})
