import type { JsonObject } from '../../src/core/json/value.js'
import type { Certificate } from '../../src/platform/certificate.js'
import { createNodeListFile, goesBy, memberEntry } from './node-list-file.js'
import { startNode, testAuthority, type Node, type NodeOptions } from './node.js'

/** Nodes that go by one list, with an authority for their certificates. */
export interface Circle<Name extends string> {
  readonly nodes: Readonly<Record<Name, Node>>
  readonly authority: Certificate
  close(): Promise<void>
}

/**
 * `members`: names of nodes with further fields of their entries in the list. `others`: entries of members that are no nodes of ours, made when the
 * authority is known. Resolves when all nodes go by the list.
 */
export async function startCircle<Name extends string>(
  members: Readonly<Record<Name, JsonObject>>,
  config: NonNullable<NodeOptions['config']>,
  others: (authority: Certificate) => Promise<readonly JsonObject[]> = () => Promise.resolve([]),
): Promise<Circle<Name>> {
  const list = await createNodeListFile()
  const authority = testAuthority()
  const started = await Promise.all(
    Object.entries<JsonObject>(members).map(async ([name, more]) => {
      const node = await startNode({ authority, config: { ...config, node_list: list.nodeList } })
      return { name, node, entry: await memberEntry(node, { label: name, ...more }) }
    }),
  )
  await list.publish([...started.map(({ entry }) => entry), ...(await others(authority))])
  for (const { node } of started) await goesBy(node.url)
  return {
    nodes: Object.fromEntries(started.map(({ name, node }) => [name, node])) as Record<Name, Node>,
    authority,
    async close() {
      await Promise.all(started.map(({ node }) => node.dispose()))
      await list.dispose()
    },
  }
}
