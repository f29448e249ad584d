import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { JsonObject } from '../../src/core/json/value.js'
import { NODE_LIST_TYPE } from '../../src/core/node-list/parse-node-list.js'
import { authorityJson, DAY, listSigner, signedJson } from '../../src/core/node-list/testing.js'
import { createSigner, parseKeyFile } from '../../src/platform/ed25519.js'
import { freePort } from '../../scripts/free-port.mjs'
import { eventually, register } from '../harness/client.js'
import { startNode, testAuthority, type Node } from '../harness/node.js'

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const signer = listSigner('anssi')
let folder: string
let finances: Node
let interieur: Node
let port: number

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chancery-audit-'))
  const authority = testAuthority()
  const config = {
    node_list: {
      file: join(folder, 'list.json'),
      refresh: '200ms',
      trusted_signers: [{ name: signer.name, key_id: signer.keyId, public_key: signer.publicKey }],
    },
    audit: { enabled: true },
  }
  interieur = await startNode({ authority, config })
  port = await freePort()
  finances = await startNode({
    authority,
    config: {
      ...config,
      audit: {
        enabled: true,
        deposit_with: [interieur.serverName],
        deposit_every: '200ms',
        syslog: { transport: 'udp', port },
      },
    },
  })
  const now = Date.now()
  const list = signedJson(
    {
      type: NODE_LIST_TYPE,
      circle: 'administration.example',
      sequence: 1,
      issued_at: now - 1_000,
      expires_at: now + 30 * DAY,
      authorities: [authorityJson(1, 1, [signer])],
      members: await Promise.all([finances, interieur].map(member)),
    },
    [signer],
  )
  await writeFile(join(folder, 'new.json'), JSON.stringify(list))
  await rename(join(folder, 'new.json'), join(folder, 'list.json'))
})
afterAll(async () => {
  await finances?.dispose()
  await interieur?.dispose()
  if (folder !== undefined) await rm(folder, { recursive: true })
})

async function member(node: Node): Promise<JsonObject> {
  const [key] = parseKeyFile(await readFile(join(node.folder, 'signing.key'), 'utf8'))
  const { keyId, publicKey } = createSigner(key!)
  const own = Number(node.serverName.split(':')[1])
  return {
    server_name: node.serverName,
    label: node.serverName,
    role: 'agents',
    keys: [{ key_id: keyId, public_key: publicKey }],
    email: { domains: [`n${own}.example`] },
    addresses: [{ host: 'localhost', port: own }],
  }
}

const audit = (node: Node, ...args: string[]): Promise<{ code: number; out: string; err: string }> =>
  new Promise((resolve) => {
    execFile(
      process.execPath,
      [MAIN, 'audit', ...args, '-c', join(node.folder, 'homeserver.yaml')],
      { maxBuffer: 2 ** 26 },
      (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    )
  })

describe('a node that leaves the head of its audit log with another member', () => {
  it('is compared with what that member was told, and the member is not told by it', async () => {
    await register(finances.url, 'alice')
    const whole = await eventually('the log was deposited', async () => {
      const { code, out } = await audit(finances, 'verify', '--against', interieur.serverName)
      return code === 0 && out.includes('has the same') ? out : undefined
    })
    expect(whole).toContain('the audit log is whole')
    const acts = (await audit(finances, 'export')).out
    expect(acts).toContain('"act":"session.opened"')
    expect(acts).toContain('"act":"node_list.taken"')
    const { code, err } = await audit(interieur, 'verify', '--against', finances.serverName)
    expect([code, err]).toEqual([1, expect.stringContaining('nothing of this log was deposited')])
  })

  // A database is lost by its files.
  const onSqlite = process.env['CHANCERY_TEST_STORE'] === 'postgres' ? it.skip : it
  onSqlite('is refused where it begins anew, and found out', async () => {
    await eventually('the log was deposited', async () => {
      const { code } = await audit(finances, 'verify', '--against', interieur.serverName)
      return code === 0 ? true : undefined
    })
    await finances.stop()
    // What a backup of before the first act would be.
    for (const name of ['homeserver.db', 'homeserver.db-wal', 'homeserver.db-shm'])
      await rm(join(finances.folder, name), { force: true })
    await finances.start()
    await register(finances.url, 'bob')
    const { code, err } = await audit(finances, 'verify', '--against', interieur.serverName)
    expect(code).toBe(1)
    expect(err).toMatch(/The end was cut off|It was written anew/)
    await eventually('the other member tells of it', async () => {
      const { out } = await audit(interieur, 'export', '--act', 'audit.head_refused')
      const log = await readFile(join(interieur.folder, 'log.txt'), 'utf8')
      return out !== '' || log.includes('does not go on from what it deposited') ? true : undefined
    })
    expect((await audit(interieur, 'forget', finances.serverName)).code).toBe(0)
    await eventually('the new log is taken', async () => {
      const again = await audit(finances, 'verify', '--against', interieur.serverName)
      return again.code === 0 ? true : undefined
    })
  })
})
