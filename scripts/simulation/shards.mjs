import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))

/**
 * Runs seeds in several processes, on the sources under `root`, which are compiled as they are read. `onOutcome` gets each outcome as it
 * comes; when it gives `false` no more are run. Resolves with how many processes ended badly.
 */
export async function runShards(
  { seeds, processes, verbose = false, quiet = false, root = here('../..') },
  onOutcome,
) {
  const children = new Set()
  let stopped = false
  const run = async (index) => {
    const own = seeds.filter((_, i) => i % processes === index)
    if (own.length === 0) return 0
    const child = spawn(
      process.execPath,
      [
        // Young garbage is most of it: collected rarely, it costs a tenth less.
        '--max-semi-space-size=64',
        '--import',
        here('../oracle/typescript.mjs'),
        `${root}/src/services/replication/testing/simulation/shard.ts`,
        JSON.stringify({ seeds: own, verbose }),
      ],
      { stdio: ['ignore', 'pipe', quiet ? 'ignore' : 'inherit'] },
    )
    children.add(child)
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (stopped || onOutcome(JSON.parse(line)) !== false) return
      stopped = true
      for (const other of children) other.kill('SIGKILL')
    })
    return new Promise((resolve) => {
      child.on('close', (code) => {
        children.delete(child)
        resolve(code === 0 || stopped ? 0 : 1)
      })
    })
  }
  const codes = await Promise.all(Array.from({ length: processes }, (_, index) => run(index)))
  return codes.reduce((sum, code) => sum + code, 0)
}
