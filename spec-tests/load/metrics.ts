import { readFileSync } from 'node:fs'
import type { Node } from '../harness/node.js'

/** What the timer of the event-loop histogram waits between two looks, in milliseconds. */
const RESOLUTION = 10

/** The value of a metric without labels. */
export async function metric(node: Node, name: string): Promise<number> {
  const text = await (await fetch(`${node.url}/metrics`)).text()
  const line = text.split('\n').find((item) => item.startsWith(`${name} `))
  if (line === undefined) throw new Error(`the node has no metric ${name}`)
  return Number(line.split(' ')[1])
}

/** The longest block of the event loop since the last look, in milliseconds. */
export async function longestBlock(node: Node): Promise<number> {
  return Math.max(0, (await metric(node, 'nodejs_eventloop_lag_max_seconds')) * 1000 - RESOLUTION)
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
