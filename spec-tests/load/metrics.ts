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
