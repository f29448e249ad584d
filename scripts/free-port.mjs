/**
 * Ports for nodes whose configuration names them before they listen. They lie below those that the system gives to outgoing
 * connections, so that none of these takes one between two starts of a node; and a file claims each for this process, so that no
 * two of a machine's test runs get the same.
 */
import { randomInt } from 'node:crypto'
import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const LOWEST = 16_000
const HIGHEST = 32_000
/** A process that was killed leaves its claims behind. */
const STALE_MS = 24 * 3_600_000

const folder = join(tmpdir(), `chancery-ports-${process.getuid?.() ?? 0}`)
const claims = []
process.once('exit', () => {
  for (const claim of claims) rmSync(claim, { force: true })
})

function claim(port) {
  const path = join(folder, String(port))
  try {
    if (Date.now() - statSync(path).mtimeMs > STALE_MS) rmSync(path, { force: true })
  } catch {
    // Nobody has claimed it.
  }
  try {
    writeFileSync(path, String(process.pid), { flag: 'wx' })
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
  claims.push(path)
  return true
}

const canListen = (port) =>
  new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })

/** A number such that the TCP ports at these offsets from it are free on the loopback interface, and this process's until it ends. */
export async function freeBase(offsets) {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  for (let attempt = 0; attempt < 1_000; attempt++) {
    const base = randomInt(LOWEST, HIGHEST - Math.max(...offsets))
    const ports = offsets.map((offset) => base + offset)
    if (ports.every(claim) && (await Promise.all(ports.map(canListen))).every(Boolean)) return base
  }
  throw new Error(`no free ports from ${LOWEST} to ${HIGHEST}`)
}

/** A TCP port of the loopback interface that is free, and this process's until it ends. */
export const freePort = () => freeBase([0])
