/**
 * node scripts/nio.mjs [--python /usr/bin/python3] [--keep]
 *
 * Boots two nodes and lets matrix-nio chat between them, encrypted with olm. Needs Debian's python3-matrix-nio, python3-olm,
 * python3-peewee, python3-atomicwrites and python3-cachetools. The last line is `N passed, N failed`. --keep leaves the nodes' folders.
 */
import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { startTwoNodes } from './demo/two-nodes.mjs'
import { giveUp, prepare, ROOT } from './prepare.mjs'

const PACKAGES = 'python3-matrix-nio python3-olm python3-peewee python3-atomicwrites python3-cachetools'

const { values } = parseArgs({
  options: {
    python: { type: 'string', default: '/usr/bin/python3' },
    keep: { type: 'boolean', default: false },
  },
})
const usable = spawnSync(values.python, ['-c', 'import nio, nio.store, olm; nio.store.SqliteMemoryStore'])
if (usable.status !== 0) {
  console.error(String(usable.stderr ?? usable.error))
  giveUp(`matrix-nio with olm does not load in ${values.python}. Debian: apt-get install ${PACKAGES}`)
}

prepare()
const { nodes, dispose } = await startTwoNodes({ keep: values.keep })
let passed = 0
let failed = 0
try {
  const script = join(ROOT, 'spec-tests', 'sdk', 'nio_chat.py')
  const places = nodes.flatMap(({ ministry }) => [ministry.url, ministry.serverName])
  const python = spawn(values.python, [script, ...places], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = new Promise((resolve) => python.once('close', resolve))
  for await (const line of createInterface({ input: python.stdout })) {
    const [word, rest] = [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]
    if (word === 'kill' || word === 'start') {
      await nodes[Number(rest)].process[word]()
      python.stdin.write('done\n')
      continue
    }
    console.log(line)
    if (word === 'pass') passed += 1
    if (word === 'fail') failed += 1
  }
  // A script that breaks off has failed, whatever it counted.
  if ((await ended) !== 0 && failed === 0) failed = 1
  if (passed === 0 && failed === 0) failed = 1
} finally {
  await dispose()
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
