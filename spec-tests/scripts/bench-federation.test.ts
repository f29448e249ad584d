import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'

const dist = join(process.cwd(), 'dist')
const part = (path: string): string => JSON.stringify(join(process.cwd(), 'scripts', 'bench', path))
const SCRIPT = `import { startNode } from ${part('node.mjs')}
import { measureFederation } from ${part('federation/measure.mjs')}
const dist = ${JSON.stringify(dist)}
const counts = { parts: ['inbound', 'outbound', 'latency', 'resolution', 'join'], rooms: [2], pdus: 20, destinations: [2], messages: 8, conflict: 40, bigJoin: [10, 1] }
const start = (federation) => startNode({ main: dist + '/main.js', federation })
console.log(JSON.stringify(await measureFederation(start, dist, counts, () => undefined)))`

/** What the bench of federation finds, with next to nothing to do. */
function bench(): Promise<unknown> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT], {
    env: { ...process.env, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.setEncoding('utf8')
  child.stdout.on('data', (text: string) => (said += text))
  return new Promise((resolve, reject) => {
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(said))
      else reject(new Error(`the bench ended with ${code}`))
    })
  })
}

describe('the bench of federation', () => {
  it('starts its nodes and servers, measures each of its subjects, and ends', async () => {
    const some = expect.any(Number)
    expect(await bench()).toEqual({
      inbound: [{ rooms: 2, pdus: 20, perSecond: some, cpuMsPerPdu: some }],
      outbound: [
        // Fewer events where there are more servers.
        {
          destinations: 2,
          events: 14,
          perSecond: some,
          deliveredPerSecond: some,
          pdusPerTransaction: some,
          cpuMsPerEvent: some,
        },
      ],
      latency: { messages: 6, p50: some, p95: some, p99: some },
      resolution: { events: 40, ms: some, cpuMs: some, loopMaxMs: some },
      join: { members: 10, events: 28, ms: some, cpuMs: some, loopMaxMs: some },
    })
  }, 300_000)
})
