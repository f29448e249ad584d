import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createRoom, enc, eventually, inRoom, register, v3, type User } from '../harness/client.js'
import { startNode, testAuthority, type Node } from '../harness/node.js'
import { refusal } from '../harness/section.js'

let ours: Node
let theirs: Node
let alice: User
let moderator: User
let mallory: User
let listRoom: string

beforeAll(async () => {
  const authority = testAuthority()
  ours = await startNode({ authority })
  theirs = await startNode({ authority })
  moderator = await register(ours.url, 'moderator')
  alice = await register(ours.url, 'alice')
  mallory = await register(theirs.url, 'mallory')
  listRoom = await createRoom(moderator, { name: 'Banned' })
  await ours.stop()
  const file = join(ours.folder, 'homeserver.yaml')
  const config = JSON.parse(await readFile(file, 'utf8')) as Record<string, object>
  await writeFile(file, JSON.stringify({ ...config, moderation: { policy_rooms: [listRoom] } }))
  await ours.start()
})
afterAll(async () => {
  await ours?.dispose()
  await theirs?.dispose()
})

const rule = (
  kind: string,
  entity: string,
  content: object = { entity, recommendation: 'm.ban', reason: 'spam' },
) => moderator.ok('PUT', inRoom(listRoom, `state/m.policy.rule.${kind}/${enc(`rule:${entity}`)}`), content)
const invite = (user: User, roomId: string, userId: string) =>
  user.call('POST', inRoom(roomId, 'invite'), { body: { user_id: userId } })
const join_ = (user: User, roomId: string) =>
  user.call('POST', v3(`/join/${enc(roomId)}`), { body: {}, query: { server_name: ours.serverName } })

describe('a list of banned users, servers and rooms', () => {
  it('keeps a banned user of another server from inviting, joining and knocking, until it says otherwise', async () => {
    const hers = await createRoom(mallory)
    const open = await createRoom(alice, { preset: 'public_chat' })
    const knockable = await createRoom(alice, {
      initial_state: [{ type: 'm.room.join_rules', state_key: '', content: { join_rule: 'knock' } }],
    })
    await rule('user', mallory.userId)
    await refusal(invite(mallory, hers, alice.userId), 403, 'M_FORBIDDEN')
    await refusal(invite(alice, open, mallory.userId), 403, 'M_FORBIDDEN')
    await refusal(join_(mallory, open), 403, 'M_FORBIDDEN')
    const knocked = await mallory.call('POST', v3(`/knock/${enc(knockable)}`), {
      body: {},
      query: { server_name: ours.serverName },
    })
    expect(knocked.status).toBe(403)
    await rule('user', mallory.userId, {})
    expect((await join_(mallory, open)).status).toBe(200)
  })

  it('keeps people out of a banned room', async () => {
    const roomId = await createRoom(mallory, { preset: 'public_chat' })
    await rule('room', roomId)
    const query = { server_name: theirs.serverName }
    await refusal(alice.call('POST', v3(`/join/${enc(roomId)}`), { body: {}, query }), 403, 'M_FORBIDDEN')
    await refusal(invite(mallory, roomId, alice.userId), 403, 'M_FORBIDDEN')
    await rule('room', roomId, {})
    expect((await alice.call('POST', v3(`/join/${enc(roomId)}`), { body: {}, query })).status).toBe(200)
  })

  it('shuts a banned server out as a whole, and lets it in again', async () => {
    const open = await createRoom(alice, { preset: 'public_chat' })
    await rule('server', theirs.serverName)
    await eventually('the server is shut out', async () =>
      (await join_(mallory, open)).status === 200 ? undefined : true,
    )
    await refusal(invite(alice, open, mallory.userId), 403, 'M_FORBIDDEN')
    await rule('server', theirs.serverName, {})
    await eventually('the server is let in', async () =>
      (await join_(mallory, open)).status === 200 ? true : undefined,
    )
  })
})
