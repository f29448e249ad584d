import type { JsonObject } from '../../src/core/json/value.js'
import type { Homeserver } from './homeserver.js'
import { createNodeListFile, goesBy } from './node-list-file.js'
import type { NodeOptions } from './node.js'

/** The configuration of a node that goes by a signed list of these members. */
export async function listOf(
  members: (now: number) => readonly JsonObject[],
): Promise<{ readonly config: NonNullable<NodeOptions['config']>; dispose(): Promise<void> }> {
  const list = await createNodeListFile()
  await list.publish(members(Date.now()))
  return { config: { node_list: list.nodeList }, dispose: () => list.dispose() }
}

/** Resolves when the server goes by it. */
export const hasTakenList = (server: Homeserver): Promise<unknown> => goesBy(server.publicUrl)
