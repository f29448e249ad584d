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
 * Like `longestBlock`, for a machine that has other work too: without the time that the node was ready to run and had no core. Where
 * `ofProcessor` is set, no more than what the node had of the processor since the last look, so that a busy disk does not count either.
 */
export function createBlockMeter(
  node: Node,
  { ofProcessor }: { ofProcessor: boolean },
): () => Promise<number> {
  let before = { pid: node.pid, cpu: 0, waited: 0 }
  return async () => {
    const value = await metricsOf(node)
    const now = {
      pid: node.pid,
      cpu: value('process_cpu_seconds_total') * 1000,
      waited: waitedForCore(node),
    }
    // A node that was started again counts anew.
    const { cpu, waited } = now.pid === before.pid ? before : { cpu: 0, waited: 0 }
    before = now
    const block = Math.max(0, lagIn(value) - (now.waited - waited))
    return ofProcessor ? Math.min(block, now.cpu - cpu) : block
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
