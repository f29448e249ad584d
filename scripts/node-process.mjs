/** A node of ours as a process that a script starts, waits for and ends. */
import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './prepare.mjs'

const MAIN = join(ROOT, 'dist', 'main.js')
/** A node that does not end in this time is killed. */
const GRACE_MS = 15_000

export const hasEnded = (child) => child.exitCode !== null || child.signalCode !== null

/**
 * Starts the node with this configuration; its output is appended to the file `log`. `main` is the program, by default this clone's;
 * `flags` are Node's own.
 */
export function spawnNode({ config, log, main = MAIN, flags = [], env = process.env }) {
  const output = createWriteStream(log, { flags: 'a' })
  const child = spawn(process.execPath, [...flags, main, 'serve', '--config', config], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env,
  })
  child.stdout.pipe(output, { end: false })
  child.stderr.pipe(output, { end: false })
  child.once('exit', (code, signal) => output.end(`the process ended: ${signal ?? `exit code ${code}`}\n`))
  return child
}

/** Waits until the node answers at the URL. Throws when its process ends first, or after `ms`; its log is named then. */
export async function answering(child, { url, log, ms = 60_000, everyMs = 50 }) {
  const end = performance.now() + ms
  for (;;) {
    if (hasEnded(child)) throw new Error(`the node for ${url} did not start; its log: ${log}`)
    const signal = AbortSignal.timeout(2_000)
    const answer = await fetch(`${url}/_matrix/client/versions`, { signal }).catch(() => undefined)
    if (answer?.ok) return
    if (performance.now() > end) throw new Error(`the node for ${url} does not answer; its log: ${log}`)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}

/** Asks the node to end, and waits; kills it after a while. With `SIGKILL` it is killed at once. */
export async function endNode(child, signal = 'SIGTERM') {
  if (hasEnded(child)) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill(signal)
  const force = setTimeout(() => child.kill('SIGKILL'), GRACE_MS)
  await ended
  clearTimeout(force)
}
