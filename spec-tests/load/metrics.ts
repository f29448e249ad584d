import { readFileSync } from 'node:fs'
import type { Node } from '../harness/node.js'

/** What the timer of the event-loop histogram waits between two looks, in milliseconds. */
const RESOLUTION = 10

async function metricsOf(node: { readonly url: string }): Promise<(name: string) => number> {
  const text = await (await fetch(`${node.url}/metrics`)).text()
  return (name) => {
    const line = text.split('\n').find((item) => item.startsWith(`${name} `))
    if (line === undefined) throw new Error(`the node has no metric ${name}`)
    return Number(line.split(' ')[1])
  }
}

/** The value of a metric without labels. */
export async function metric(node: { readonly url: string }, name: string): Promise<number> {
  return (await metricsOf(node))(name)
}

/** The longest block of the event loop since the last look, in milliseconds of the clock. */
export async function longestBlock(node: { readonly url: string }): Promise<number> {
  return lagIn(await metricsOf(node))
}

const lagIn = (value: (name: string) => number): number =>
  Math.max(0, value('nodejs_eventloop_lag_max_seconds') * 1000 - RESOLUTION)

/**
 * Like `longestBlock`, for a machine that has other work too: a process that had less of the processor since the last look than the
 * block is long was held up by the others, and has itself blocked no longer than what it had.
 */
export function createBlockMeter(node: { readonly url: string }): () => Promise<number> {
  let before = Infinity
  return async () => {
    const value = await metricsOf(node)
    const cpu = value('process_cpu_seconds_total') * 1000
    // A node that was started again counts anew.
    const used = cpu < before ? cpu : cpu - before
    before = cpu
    return Math.min(lagIn(value), used)
  }
}

/**
 * How long the node's event loop was ready to run and had no core since it began, in milliseconds: what other programs of the machine took.
 * 0 where the system does not say, which is anywhere but Linux.
 */
export function waitedForCore(node: Node): number {
  try {
    const [, waited] = readFileSync(`/proc/${node.pid}/task/${node.pid}/schedstat`, 'latin1').split(' ')
    return Number(waited) / 1e6
  } catch {
    return 0
  }
}
