/**
 * A process for tests to kill: a node that is handed one transaction after the other, and says the id of each once it was
 * answered. Arguments: the database, the text of its key file, `key id=public key` of a.example, a file of transactions.
 */
import { readFileSync, writeSync } from 'node:fs'
import { createSigner, parseKeyFile } from '../../../platform/ed25519.js'
import { openSqlite } from '../../../storage/sqlite-store.js'
import { addNode, createNetwork } from './network.js'

const [path = '', keyFile = '', peerKey = '', transactions = ''] = process.argv.slice(2)
const [keyId = '', publicKey = ''] = peerKey.split('=')
const node = await addNode(createNetwork(), 'b.example', {
  store: await openSqlite({ path }),
  signer: createSigner(parseKeyFile(keyFile)[0]!),
  pinned: new Map([['a.example', new Map([[keyId, publicKey]])]]),
})
for (const line of readFileSync(transactions, 'utf8').split('\n')) {
  const { id, pdus } = JSON.parse(line) as { id: string; pdus: [] }
  await node.replication.inbound.handleTransaction('a.example', id, { pdus })
  writeSync(1, `${id}\n`)
}
