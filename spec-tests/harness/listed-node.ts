import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  authorityJson,
  DAY,
  listJson,
  listSigner,
  signedJson,
  signerJson,
} from '../../src/core/node-list/testing.js'
import type { JsonObject } from '../../src/core/json/value.js'
import { eventually } from './client.js'
import type { Homeserver } from './homeserver.js'
import type { NodeOptions } from './node.js'

/** The configuration of a node that goes by a signed list of these members. */
export async function listOf(
  members: (now: number) => readonly JsonObject[],
): Promise<{ readonly config: NonNullable<NodeOptions['config']>; dispose(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'chancery-members-'))
  const file = join(folder, 'list.json')
  const signer = listSigner('anssi')
  const now = Date.now()
  const list = signedJson(
    listJson({
      issued_at: now - 1_000,
      expires_at: now + 30 * DAY,
      authorities: [authorityJson(1, 1, [signer])],
      members: [...members(now)],
    }),
    [signer],
  )
  await writeFile(file, JSON.stringify(list))
  return {
    config: { node_list: { file, trusted_signers: [signerJson(signer)] } },
    dispose: () => rm(folder, { recursive: true, force: true }),
  }
}

/** A node looks for its list when it starts, and does not wait for it: resolves when it goes by it. */
export const hasTakenList = (server: Homeserver): Promise<unknown> =>
  eventually('the list is taken', async () => {
    const text = await (await fetch(`${server.publicUrl}/metrics`)).text()
    return text.includes('chancery_node_list_sequence 1\n')
  })
