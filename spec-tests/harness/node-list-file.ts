import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
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
import type { ListSigning } from '../../src/core/node-list/sign-node-list.js'
import type { JsonObject } from '../../src/core/json/value.js'
import { createSigner, parseKeyFile } from '../../src/platform/ed25519.js'
import { eventually } from './client.js'
import type { Node } from './node.js'

/** The list of a circle, where its nodes look for it. */
export interface NodeListFile {
  /** For the configuration of each node. */
  readonly nodeList: JsonObject
  readonly signers: readonly ListSigning[]
  /** Signs a list of these members, by default as many of the signers as must, and puts it there whole. */
  publish(
    members: readonly JsonObject[],
    options?: { readonly sequence?: number; readonly by?: readonly ListSigning[] },
  ): Promise<void>
  dispose(): Promise<void>
}

/** So many of the signers must sign, by default one of one. */
export async function createNodeListFile(
  names: readonly string[] = ['administration'],
  threshold = 1,
): Promise<NodeListFile> {
  const signers = names.map((name) => listSigner(name))
  const folder = await mkdtemp(join(tmpdir(), 'chancery-list-'))
  const file = join(folder, 'list.json')
  return {
    nodeList: { file, refresh: '200ms', threshold, trusted_signers: signers.map(signerJson) },
    signers,
    async publish(members, { sequence = 1, by = signers.slice(0, threshold) } = {}) {
      const now = Date.now()
      const list = signedJson(
        listJson({
          sequence,
          issued_at: now - 1_000,
          expires_at: now + 30 * DAY,
          authorities: [authorityJson(1, threshold, signers)],
          members,
        }),
        by,
      )
      await writeFile(`${file}.new`, JSON.stringify(list))
      await rename(`${file}.new`, file)
    },
    dispose: () => rm(folder, { recursive: true, force: true }),
  }
}

/** What the list says of one of our nodes. */
export async function memberEntry(node: Node, more: JsonObject = {}): Promise<JsonObject> {
  const [key] = parseKeyFile(await readFile(join(node.folder, 'signing.key'), 'utf8'))
  const { keyId, publicKey } = createSigner(key!)
  const port = Number(node.serverName.split(':')[1])
  return {
    server_name: node.serverName,
    label: node.serverName,
    role: 'agents',
    keys: [{ key_id: keyId, public_key: publicKey }],
    email: { domains: [`n${port}.example`] },
    addresses: [{ host: 'localhost', port }],
    ...more,
  }
}

/** A node looks for its list when it starts, and then now and again: resolves when it goes by it. */
export const goesBy = (url: string, sequence = 1): Promise<unknown> =>
  eventually(`${url} goes by list ${sequence}`, async () => {
    const text = await (await fetch(`${url}/metrics`)).text()
    return text.includes(`chancery_node_list_sequence ${sequence}\n`) ? true : undefined
  })
