/** Keeps a ministry's node running: one that dies is started again, as systemd would. */
import { answering, endNode } from '../node-process.mjs'
import { spawnMinistry } from './ministry.mjs'

const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 30_000
/** A node that has run for so long is healthy: the next death starts with the first pause again. */
const HEALTHY_MS = 60_000

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
    child = spawnMinistry(ministry)
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
  const ready = answering(first, ministry).then(() => {
    watched = true
  })

  return {
    ready,
    async stop() {
      stopping = true
      clearTimeout(timer)
      await endNode(child)
    },
    /** `kill -9`, and nothing starts it again until `start()`. */
    async kill() {
      watched = false
      clearTimeout(timer)
      await endNode(child, 'SIGKILL')
    },
    /** After `kill()`: resolves when it answers. */
    async start() {
      const next = run()
      await answering(next, ministry)
      watched = true
    },
  }
}
