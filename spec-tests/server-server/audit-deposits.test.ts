import { execFile } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { freePort } from '../../scripts/free-port.mjs'
import { eventually, register } from '../harness/client.js'
import { createNodeListFile, memberEntry, type NodeListFile } from '../harness/node-list-file.js'
import { startNode, testAuthority, type Node } from '../harness/node.js'

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
let list: NodeListFile
let finances: Node
let interieur: Node
let port: number

beforeAll(async () => {
  list = await createNodeListFile()
  const authority = testAuthority()
  const config = {
    node_list: list.nodeList,
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
  await list.publish(await Promise.all([finances, interieur].map((node) => memberEntry(node))))
})
afterAll(async () => {
  await finances?.dispose()
  await interieur?.dispose()
  await list?.dispose()
})

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
