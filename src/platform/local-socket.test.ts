import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { spawnSync } from 'node:child_process'
import { listenPrivately } from './local-socket.js'

let folder: string
const servers: Server[] = []
const server = (): Server => {
  const made = createServer((socket) => socket.on('error', () => undefined).end('here'))
  servers.push(made)
  return made
}
const read = (path: string): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = ''
    connect(path)
      .on('data', (chunk: Buffer) => (text += chunk.toString()))
      .on('end', () => resolve(text))
      .on('error', reject)
  })

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'chancery-socket-'))
})
afterEach(async () => {
  for (const one of servers.splice(0)) await new Promise((resolve) => one.close(resolve))
  rmSync(folder, { recursive: true })
})

describe('a private socket', () => {
  it('can be opened by its owner alone, whatever the umask is', async () => {
    const path = join(folder, 'a.sock')
    const before = process.umask(0)
    try {
      expect(await listenPrivately(server(), path)).toBeUndefined()
      expect(process.umask()).toBe(0)
    } finally {
      process.umask(before)
    }
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(await read(path)).toBe('here')
  })

  it('takes the place of one that a killed process has left', async () => {
    const path = join(folder, 'a.sock')
    spawnSync(process.execPath, [
      '-e',
      `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`,
    ])
    expect(existsSync(path)).toBe(true)
    expect(await listenPrivately(server(), path)).toBeUndefined()
    expect(await read(path)).toBe('here')
  })

  it('leaves one that is in use to its owner, and says why it cannot listen', async () => {
    const path = join(folder, 'a.sock')
    await listenPrivately(server(), path)
    expect(await listenPrivately(createServer(), path)).toMatch(/another process listens on/)
    expect(await read(path)).toBe('here')
    expect(await listenPrivately(createServer(), join(folder, 'x'.repeat(100)))).toMatch(/103 bytes/)
    writeFileSync(join(folder, 'file'), '')
    expect(await listenPrivately(createServer(), join(folder, 'file', 'b.sock'))).toMatch(/cannot be made/)
  })
})
