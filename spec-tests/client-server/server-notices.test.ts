import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { call, register, v3, type User } from '../harness/client.js'
import { startNode, type Node } from '../harness/node.js'

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const PATH = '/_synapse/admin/v1/send_server_notice'

let node: Node
let admin: User
const chancery = (...args: string[]) =>
  promisify(execFile)(process.execPath, [MAIN, ...args, '-c', join(node.folder, 'homeserver.yaml')], {
    env: { ...process.env, NODE_OPTIONS: '' },
  })
beforeAll(async () => {
  node = await startNode({ config: { server_notices: { localpart: '_server' } } })
  admin = await register(node.url, 'admin')
  await chancery('set-admin', admin.userId, 'on')
})
afterAll(() => node.dispose())

const notice = (user: User, body: string) => ({
  user_id: user.userId,
  content: { msgtype: 'm.text', body },
})
/** The room of the one invite that somebody has. */
async function inviteOf(user: User): Promise<string> {
  const { rooms } = await user.ok('GET', v3('/sync'))
  const invites = Object.entries(
    (rooms?.invite ?? {}) as Record<string, { invite_state: { events: { sender: string }[] } }>,
  )
  expect(invites).toHaveLength(1)
  const [roomId, block] = invites[0]!
  expect(block.invite_state.events[0]!.sender).toBe(`@_server:${node.serverName}`)
  return roomId
}

describe('server notices', () => {
  it('are sent by administrators alone', async () => {
    const alice = await register(node.url, 'alice')
    for (const [method, path] of [
      ['POST', PATH],
      ['PUT', `${PATH}/1`],
    ] as const) {
      expect(await alice.call(method, path)).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } })
      expect((await call(node.url, method, path)).status).toBe(401)
      expect((await admin.call(method, path, { body: { user_id: 5 } })).status).toBe(400)
    }
    expect(
      await admin.call('POST', PATH, { body: { user_id: '@none:x.example', content: {} } }),
    ).toMatchObject({ status: 400 })
  })

  it('reach a user who takes no invites', async () => {
    const dora = await register(node.url, 'dora')
    const path = v3(`/user/${encodeURIComponent(dora.userId)}/account_data/m.invite_permission_config`)
    await dora.ok('PUT', path, { default_action: 'block' })
    await admin.ok('POST', PATH, notice(dora, 'hello'))
    await dora.ok('POST', v3(`/join/${encodeURIComponent(await inviteOf(dora))}`), {})
  })

  it('reach a user in one room, whose invite stands until it is taken', async () => {
    const bob = await register(node.url, 'bob')
    const { event_id: first } = await admin.ok('POST', PATH, notice(bob, 'hello'))
    const roomId = await inviteOf(bob)
    expect(
      await bob.call('POST', v3(`/rooms/${encodeURIComponent(roomId)}/leave`), { body: {} }),
    ).toMatchObject({
      status: 403,
      body: { errcode: 'M_CANNOT_LEAVE_SERVER_NOTICE_ROOM' },
    })
    await bob.ok('POST', v3(`/join/${encodeURIComponent(roomId)}`), {})
    const { rooms } = await bob.ok('GET', v3('/sync'))
    const block = rooms.join[roomId]
    expect(block.timeline.events.map((event: { event_id: string }) => event.event_id)).toContain(first)
    expect(block.account_data.events).toContainEqual({
      type: 'm.tag',
      content: { tags: { 'm.server_notice': {} } },
    })
    await bob.ok('POST', v3(`/rooms/${encodeURIComponent(roomId)}/leave`), {})
    const once = await admin.ok('PUT', `${PATH}/1`, notice(bob, 'again'))
    expect(await admin.ok('PUT', `${PATH}/1`, notice(bob, 'again'))).toEqual(once)
    expect(await inviteOf(bob)).toBe(roomId)
  })

  it('can be sent from the command line', async () => {
    const carol = await register(node.url, 'carol')
    const { stdout } = await chancery('notice', carol.userId, 'Maintenance at noon')
    expect(stdout).toContain(`${carol.userId} is told (through the running node)`)
    await inviteOf(carol)
  })

  it('come in the name of somebody whom nobody can be', async () => {
    const answer = await call(node.url, 'POST', v3('/register'), {
      body: { username: '_server', password: 'a good password', auth: { type: 'm.login.dummy' } },
    })
    expect(answer).toMatchObject({ status: 400, body: { errcode: 'M_USER_IN_USE' } })
  })
})
