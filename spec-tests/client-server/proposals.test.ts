import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createRoom, register, v3, type User } from '../harness/client.js'
import { startNode, type Node } from '../harness/node.js'

// What clients rely on although no release of the specification has it.

let node: Node
let alice: User
let bob: User
beforeAll(async () => {
  node = await startNode()
  alice = await register(node.url, 'alice')
  bob = await register(node.url, 'bob')
})
afterAll(() => node.dispose())

const enc = encodeURIComponent
const own = (user: User, rest: string): string => v3(`/user/${enc(user.userId)}/${rest}`)
const features = async (): Promise<Record<string, boolean>> =>
  (await alice.ok('GET', '/_matrix/client/versions')).unstable_features

describe('invite filtering (MSC4155)', () => {
  const filter = (lists: object): Promise<unknown> =>
    alice.ok('PUT', own(alice, 'account_data/org.matrix.msc4155.invite_permission_config'), lists)
  const invited = async (): Promise<string[]> =>
    Object.keys((await alice.ok('GET', v3('/sync'))).rooms?.invite ?? {})

  it('refuses invites of whom a user blocks, and says nothing of those of whom they ignore', async () => {
    expect(await features()).toMatchObject({ 'org.matrix.msc4155': true })
    const roomId = await createRoom(bob)
    const invite = v3(`/rooms/${enc(roomId)}/invite`)
    await filter({ blocked_users: ['@b*'] })
    expect(await bob.call('POST', invite, { body: { user_id: alice.userId } })).toMatchObject({
      status: 403,
      body: { errcode: 'M_INVITE_BLOCKED' },
    })
    await filter({ ignored_servers: ['*'] })
    await bob.ok('POST', invite, { user_id: alice.userId })
    expect(await invited()).toEqual([])
    await filter({ allowed_users: [bob.userId], ignored_servers: ['*'] })
    expect(await invited()).toEqual([roomId])
  })
})
