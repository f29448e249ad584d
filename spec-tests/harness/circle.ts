import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NODE_LIST_TYPE } from '../../src/core/node-list/parse-node-list.js'
import { authorityJson, DAY, listSigner, signedJson } from '../../src/core/node-list/testing.js'
import type { JsonObject } from '../../src/core/json/value.js'
import type { Certificate } from '../../src/platform/certificate.js'
import { createSigner, parseKeyFile } from '../../src/platform/ed25519.js'
import { eventually } from './client.js'
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
  const signer = listSigner('administration')
  const folder = await mkdtemp(join(tmpdir(), 'chancery-circle-'))
  const file = join(folder, 'list.json')
  const authority = testAuthority()
  const nodeList = {
    file,
    refresh: '200ms',
    trusted_signers: [{ name: signer.name, key_id: signer.keyId, public_key: signer.publicKey }],
  }
  const started = await Promise.all(
    Object.entries<JsonObject>(members).map(async ([name, more]) => {
      const node = await startNode({ authority, config: { ...config, node_list: nodeList } })
      return { name, node, entry: await entryOf(node, { label: name, ...more }) }
    }),
  )
  const now = Date.now()
  const list = signedJson(
    {
      type: NODE_LIST_TYPE,
      circle: 'administration.example',
      sequence: 1,
      issued_at: now - 1_000,
      expires_at: now + 30 * DAY,
      authorities: [authorityJson(1, 1, [signer])],
      members: [...started.map(({ entry }) => entry), ...(await others(authority))],
    },
    [signer],
  )
  await writeFile(`${file}.new`, JSON.stringify(list))
  await rename(`${file}.new`, file)
  for (const { name, node } of started)
    await eventually(`${name} goes by the list`, async () => {
      const text = await (await fetch(`${node.url}/metrics`)).text()
      return text.includes('chancery_node_list_sequence 1\n') ? true : undefined
    })
  return {
    nodes: Object.fromEntries(started.map(({ name, node }) => [name, node])) as Record<Name, Node>,
    authority,
    async close() {
      await Promise.all(started.map(({ node }) => node.dispose()))
      await rm(folder, { recursive: true })
    },
  }
}

async function entryOf(node: Node, more: JsonObject): Promise<JsonObject> {
  const [key] = parseKeyFile(await readFile(join(node.folder, 'signing.key'), 'utf8'))
  const { keyId, publicKey } = createSigner(key!)
  return {
    server_name: node.serverName,
    label: node.serverName,
    role: 'agents',
    keys: [{ key_id: keyId, public_key: publicKey }],
    addresses: [{ host: 'localhost', port: Number(node.serverName.split(':')[1]) }],
    ...more,
  }
}
