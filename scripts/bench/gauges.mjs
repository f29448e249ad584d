/** What the timer of the delay histogram waits between two looks, in seconds: a value of this size is no delay. */
const LOOP_RESOLUTION = 0.01

/**
 * Reads the node's own metrics. CPU is the node's alone, all its threads; a database server's is not in it.
 * The delays of the event loop are those since the last reading.
 */
export async function readGauges(client) {
  const text = await client.text('GET', '/metrics')
  const value = (name) => {
    const line = text.split('\n').find((item) => item.startsWith(`${name} `))
    if (line === undefined) throw new Error(`the metrics lack ${name}`)
    return Number(line.slice(name.length + 1))
  }
  const delay = (name) => {
    const seconds = value(`nodejs_eventloop_lag_${name}_seconds`)
    return Number.isFinite(seconds) ? Math.max(0, (seconds - LOOP_RESOLUTION) * 1000) : 0
  }
  return {
    cpuMs: value('process_cpu_seconds_total') * 1000,
    rssBytes: value('process_resident_memory_bytes'),
    heapBytes: value('nodejs_heap_size_used_bytes'),
    loopP99Ms: delay('p99'),
    loopMaxMs: delay('max'),
  }
}

/** Runs the work; gives what it gives, and what the node spent on it. */
export async function spent(client, work) {
  const before = await readGauges(client)
  const started = performance.now()
  const result = await work()
  const ms = performance.now() - started
  const after = await readGauges(client)
  return {
    result,
    ms,
    cpuMs: after.cpuMs - before.cpuMs,
    loopP99Ms: after.loopP99Ms,
    loopMaxMs: after.loopMaxMs,
  }
}
