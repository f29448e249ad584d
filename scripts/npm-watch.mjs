/** At the start, since npm may end while the clone is made ready. */
const parent = process.ppid

/**
 * What npm runs does not hear when npm itself is told to end: npm passes the signal to its shell, which dies without passing it on.
 * Calls `stop` once the process that started this one has gone. Does nothing outside npm, where a process may well outlive its parent.
 */
export function whenNpmEnds(stop) {
  if (process.env['npm_lifecycle_event'] === undefined) return
  const timer = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(timer)
    stop()
  }, 500)
  timer.unref()
}
