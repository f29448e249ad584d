import { writeSync } from 'node:fs'
import { openSqlite } from '../../storage/sqlite-store.js'
import { startNode, testSchema } from './testing.js'

/**
 * For tests: a process that claims as fast as it can, eight requests at a time, and says each key id only after the claim
 * has resolved, as an answer would. It ends by being killed, or when no key is left.
 */
const ALICE = '@alice:a.example'
const store = await openSqlite({ path: process.argv[2]!, migrations: testSchema })
const node = await startNode('a.example', new Map(), { store })

async function claim(): Promise<void> {
  for (;;) {
    const wish = { one_time_keys: { [ALICE]: { PHONE: 'signed_curve25519' } } }
    const { one_time_keys } = await node.e2ee.claimKeys(wish)
    const [id] = Object.keys(one_time_keys[ALICE]?.['PHONE'] ?? {})
    if (id === undefined) return
    writeSync(1, `${id}\n`)
  }
}

await Promise.all(Array.from({ length: 8 }, claim))
process.exit(0)
