import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { call, createRoom, eventually, register, sendText, v3, type User } from '../harness/client.js'
import { startNode, type Node } from '../harness/node.js'
import { buildShim } from './disk-shim.js'

const enc = encodeURIComponent
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'chancery-full-')))
const faults = join(folder, 'faults')
const shim = process.env['CHANCERY_TEST_STORE'] === 'postgres' ? undefined : buildShim(folder)
const withShim = shim === undefined ? describe.skip : describe

withShim('a node whose disk is full', () => {
  let node: Node
  let user: User
  let roomId: string
  beforeAll(async () => {
    mkdirSync(faults)
    const env: Record<string, string> = {}
    node = await startNode({ env })
    user = await register(node.url)
    roomId = await createRoom(user)
    await node.stop()
    Object.assign(env, { LD_PRELOAD: shim, SHIM_DIR: realpathSync(node.folder), SHIM_FAULTS: faults })
    await node.start()
  })
  afterAll(async () => {
    await node?.dispose()
    rmSync(folder, { recursive: true, force: true })
  })

  it('says so, goes on reading, and goes on by itself once there is room', async () => {
    const before = await sendText(user, roomId, 'before')
    writeFileSync(join(faults, 'full'), '')
    const refused = await eventually('a send is refused', async () => {
      const path = v3(`/rooms/${enc(roomId)}/send/m.room.message/full-${Math.random()}`)
      const answer = await user.call('PUT', path, { body: { msgtype: 'm.text', body: 'x'.repeat(20_000) } })
      return answer.status === 200 ? undefined : answer
    })
    expect(refused.status).toBe(507)
    expect(refused.body).toMatchObject({
      errcode: 'M_UNKNOWN',
      error: expect.stringContaining('disk of this server is full'),
    })
    expect(refused.headers.get('retry-after')).toBe('2')
    const health = await eventually('the node says that it is not healthy', async () => {
      const answer = await call(node.url, 'GET', '/health')
      return answer.status === 200 ? undefined : answer
    })
    expect(health).toMatchObject({
      status: 503,
      body: { checks: { store: 'ok', writes: 'the disk is full' } },
    })
    const event = await user.ok('GET', v3(`/rooms/${enc(roomId)}/event/${enc(before)}`))
    expect(event.content.body).toBe('before')
    expect((await user.call('GET', v3('/sync'))).status).toBe(200)

    rmSync(join(faults, 'full'))
    // Nobody writes meanwhile: a balancer sends nobody to a node that is not healthy.
    await eventually(
      'it is healthy again',
      async () => (await call(node.url, 'GET', '/health')).status === 200,
    )
    const after = await sendText(user, roomId, 'after')
    const page = await user.ok('GET', v3(`/rooms/${enc(roomId)}/messages`), undefined, { dir: 'b', limit: 1 })
    expect(page.chunk[0].event_id).toBe(after)
  })
})
