import { writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { createLogger } from '../platform/logger.js'
import { runUntilStopped } from './run-until-stopped.js'

/**
 * A process with a server that does nothing, for tests of how a node ends. Argument 1: how it behaves. Argument 2: the
 * file that its `close` writes when it has been let finish.
 */
const [behaviour = '', mark = ''] = process.argv.slice(2)

async function start(onFault: (error: Error) => void) {
  if (behaviour === 'fails to start') throw new Error('the port is taken')
  const alive = setInterval(() => undefined, 1_000)
  if (behaviour === 'throws later') {
    setTimeout(() => {
      throw new Error('a fault in some callback')
    }, 20)
  }
  if (behaviour === 'rejects later')
    setTimeout(() => void Promise.reject(new Error('a fault in some promise')), 20)
  if (behaviour === 'reports a fault') setTimeout(() => onFault(new Error('the disk failed')), 20)
  return {
    addresses: {},
    async close() {
      await delay(behaviour === 'hangs' ? 60_000 : 300)
      writeFileSync(mark, 'closed')
      clearInterval(alive)
    },
  }
}

try {
  process.exitCode = await runUntilStopped(start, createLogger(), behaviour === 'hangs' ? 500 : 60_000)
} catch {
  process.exitCode = 1
}
