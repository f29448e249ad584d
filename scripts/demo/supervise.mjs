/** Keeps a ministry's node running: one that dies is started again, as systemd would. */
import { answering, spawnNode } from './ministry.mjs'

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 30_000
/** A node that has run for so long is healthy: the next death starts with the first pause again. */
const HEALTHY_MS = 60_000
const GRACE_MS = 15_000

const hasEnded = (child) => child.exitCode !== null || child.signalCode !== null

/**
 * Starts the node. `ready` resolves when it answers, and rejects when it ends before that; from then on a node that dies is
 * started again, and `say` gets a line for each death. `stop()` ends it for good.
 */
export function supervise(ministry, say) {
  let child
  let watched = false
  let stopping = false
  let pause = FIRST_PAUSE_MS
  let timer

  function run() {
    const started = Date.now()
    child = spawnNode(ministry)
    child.once('exit', (code, signal) => {
      if (stopping || !watched) return
      if (Date.now() - started > HEALTHY_MS) pause = FIRST_PAUSE_MS
      say(
        `${ministry.name} ended (${signal ?? `exit code ${code}`}); starting it again in ${pause / 1_000} s`,
      )
      timer = setTimeout(run, pause)
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS)
    })
    return child
  }

  const first = run()
  const ready = answering(ministry, () => hasEnded(first)).then(() => {
    watched = true
  })

  return {
    ready,
    async stop() {
      stopping = true
      clearTimeout(timer)
      if (hasEnded(child)) return
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      const force = setTimeout(() => child.kill('SIGKILL'), GRACE_MS)
      await ended
      clearTimeout(force)
    },
    /** `kill -9`, and nothing starts it again until `start()`. */
    async kill() {
      watched = false
      clearTimeout(timer)
      if (hasEnded(child)) return
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
    },
    /** After `kill()`: resolves when it answers. */
    async start() {
      const next = run()
      await answering(ministry, () => hasEnded(next))
      watched = true
    },
  }
}
