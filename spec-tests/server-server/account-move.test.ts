import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { call as ask } from '../../src/cli/node-operator.js'
import { startCircle, type Circle } from '../harness/circle.js'
import {
  call,
  createRoom,
  enc,
  eventually,
  inRoom,
  register,
  sendText,
  v3,
  type User,
} from '../harness/client.js'
import type { Node } from '../harness/node.js'

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
// Nodes are started again and again.
jest.setTimeout(240_000)

const MOVE = '/_matrix/client/unstable/org.chancery/account_move'

let circle: Circle<'finances' | 'interieur' | 'justice'>
let finances: Node
let interieur: Node
let justice: Node

beforeAll(async () => {
  circle = await startCircle(
    { finances: {}, interieur: {}, justice: {} },
    { access_rules: { enforced: true }, account_moves: { interval: '50ms' }, audit: { enabled: true } },
  )
  ;({ finances, interieur, justice } = circle.nodes)
})
afterAll(() => circle?.close())

/** The command line, on the machine of a node; gives what it prints. */
async function chancery(node: Node, ...args: string[]): Promise<string> {
  const config = join(node.folder, 'homeserver.yaml')
  const { stdout } = await promisify(execFile)(process.execPath, [MAIN, ...args, '-c', config])
  return stdout
}
const move = (node: Node, ...args: string[]): Promise<string> => chancery(node, 'account', 'move', ...args)

async function enter(user: User, roomId: string, by: User, via: Node): Promise<void> {
  await by.ok('POST', inRoom(roomId, 'invite'), { user_id: user.userId })
  await eventually(`${user.userId} is invited`, async () => {
    const { rooms } = await user.ok('GET', v3('/sync'), undefined, { timeout: 0 })
    return rooms?.invite?.[roomId]
  })
  await user.ok('POST', v3(`/join/${enc(roomId)}`), {}, { via: via.serverName })
}
const member = async (as: User, roomId: string, userId: string): Promise<string | undefined> =>
  (await as.call('GET', inRoom(roomId, `state/m.room.member/${enc(userId)}`))).body.membership
const joins = (as: User, roomId: string, userId: string): Promise<unknown> =>
  eventually(
    `${as.userId} sees ${userId} in ${roomId}`,
    async () => (await member(as, roomId, userId)) === 'join',
  )
/** Asks the node as the command line does; a process for each question would take longer than the move. */
async function stepOf(node: Node, userId: string): Promise<string | undefined> {
  const answer = await ask(join(node.folder, 'operator.sock'), 'account-moves/status', { user: userId })
  return (answer['moves'] as { step: string }[])[0]?.step
}
const isDone = (node: Node, userId: string): Promise<unknown> =>
  eventually(`the move of ${userId} is done`, async () => (await stepOf(node, userId)) === 'done')
const sees = (user: User, roomId: string, eventId: string): Promise<unknown> =>
  eventually(`${user.userId} sees ${eventId}`, async () => {
    const { status } = await user.call('GET', inRoom(roomId, `event/${enc(eventId)}`))
    return status === 200
  })

const restricted = (name: string): object => ({
  name,
  room_version: '11',
  initial_state: [{ type: 'im.vector.room.access_rules', content: { rule: 'restricted' } }],
})
const directWith = (user: User): object => ({
  preset: 'trusted_private_chat',
  is_direct: true,
  room_version: '11',
  invite: [user.userId],
  initial_state: [{ type: 'im.vector.room.access_rules', content: { rule: 'direct' } }],
})

describe('somebody who changes ministry, among three nodes', () => {
  it('says yes, goes on with the new account in every room, and is nobody else’s third person', async () => {
    const ana = await register(finances.url, 'ana')
    const anew = await register(interieur.url, 'ana-dupont')
    const cem = await register(justice.url, 'cem')
    const eve = await register(interieur.url, 'eve')
    const team = await createRoom(ana, restricted('Budget'))
    await enter(cem, team, ana, finances)
    const direct = await createRoom(ana, directWith(cem))
    await eventually('the invite is there', async () => {
      const { rooms } = await cem.ok('GET', v3('/sync'), undefined, { timeout: 0 })
      return rooms?.invite?.[direct]
    })
    await cem.ok('POST', v3(`/join/${enc(direct)}`), {}, { via: finances.serverName })
    await ana.ok('PUT', v3(`/user/${enc(ana.userId)}/rooms/${enc(team)}/tags/m.favourite`), { order: 0.5 })

    const report = await move(finances, 'send', ana.userId, '--to', anew.userId, '--dry-run')
    expect(report).toContain('with 2 rooms, 2 of them encrypted')
    expect(report).toContain('THERE IS NO KEY BACKUP')
    expect((await ana.call('GET', MOVE)).status).toBe(404)

    await move(interieur, 'receive', ana.userId, '--as', anew.userId)
    await move(finances, 'send', ana.userId, '--to', anew.userId)
    expect(await move(finances, 'status')).toContain('waits for the person to say yes')
    expect(await ana.ok('GET', MOVE)).toMatchObject({ new_user: anew.userId, step: 'asked' })
    expect((await anew.call('GET', MOVE)).status).toBe(404)
    expect((await ana.call('POST', `${MOVE}/consent`, { body: { new_user: eve.userId } })).status).toBe(404)
    await ana.ok('POST', `${MOVE}/consent`, { new_user: anew.userId })
    await isDone(finances, ana.userId)
    await isDone(interieur, anew.userId)

    for (const roomId of [team, direct]) await joins(cem, roomId, anew.userId)
    const levels = await cem.ok('GET', inRoom(team, 'state/m.room.power_levels'))
    expect(levels.users).toEqual({ [anew.userId]: 100 })
    expect(await anew.ok('GET', v3(`/user/${enc(anew.userId)}/rooms/${enc(team)}/tags`))).toEqual({
      tags: { 'm.favourite': { order: 0.5 } },
    })
    // Both ways, and read by the third node.
    await sees(cem, direct, await sendText(anew, direct, 'it is me'))
    await sees(anew, direct, await sendText(cem, direct, 'so it is'))
    // The certificate lets nobody else in, by whomever.
    for (const by of [anew, cem])
      expect(
        (await by.call('POST', inRoom(direct, 'invite'), { body: { user_id: eve.userId } })).body,
      ).toMatchObject({
        errcode: 'M_FORBIDDEN',
        reason: 'access.direct.third',
      })

    const locked = await ana.call('GET', v3('/account/whoami'))
    expect([locked.status, locked.body.errcode]).toEqual([401, 'M_USER_LOCKED'])
    const profile = await cem.ok('GET', v3(`/profile/${enc(ana.userId)}`))
    expect(profile['org.chancery.moved_to']).toBe(anew.userId)
  })

  it('goes on to a third ministry, and is still the same person in a direct conversation', async () => {
    const [first, second, third] = [
      await register(finances.url, 'dan'),
      await register(interieur.url, 'dan'),
      await register(justice.url, 'dan'),
    ]
    const cem = await register(finances.url, 'cem')
    const direct = await createRoom(first, directWith(cem))
    await cem.ok('POST', v3(`/join/${enc(direct)}`), {})
    for (const [from, to, at, there] of [
      [first, second, finances, interieur],
      [second, third, interieur, justice],
    ] as const) {
      await move(there, 'receive', from.userId, '--as', to.userId)
      await move(at, 'send', from.userId, '--to', to.userId, '--order', 'a new post')
      await isDone(at, from.userId)
      await isDone(there, to.userId)
      await joins(cem, direct, to.userId)
    }
    await sees(cem, direct, await sendText(third, direct, 'still me'))
  })

  it('goes by order of an operator though both nodes are killed on the way', async () => {
    const bea = await register(finances.url, 'bea')
    const bnew = await register(interieur.url, 'bea')
    const cem = await register(justice.url, 'cem')
    const rooms = await Promise.all(['One', 'Two', 'Three'].map((name) => createRoom(bea, restricted(name))))
    for (const roomId of rooms) await enter(cem, roomId, bea, finances)
    await move(interieur, 'receive', bea.userId, '--as', bnew.userId)
    await interieur.kill()
    await move(finances, 'send', bea.userId, '--to', bnew.userId, '--order', 'by decree 7')
    await finances.kill()
    await Promise.all([finances.start(), interieur.start()])
    await eventually(
      'the first room is entered',
      async () => (await member(cem, rooms[0]!, bnew.userId)) !== undefined,
    )
    await finances.kill()
    await interieur.kill()
    await Promise.all([finances.start(), interieur.start()])
    await isDone(finances, bea.userId)
    await isDone(interieur, bnew.userId)
    for (const roomId of rooms) await joins(cem, roomId, bnew.userId)
    const log = await chancery(finances, 'audit', 'export')
    expect(log).toContain('by decree 7')
  })

  it('cannot be had by whoever asks a node for it', async () => {
    for (const [path, body] of [
      ['offer', { certificate: {} }],
      ['bundle', { nonce: 'n'.repeat(43) }],
      ['progress', { nonce: 'n'.repeat(43), step: 'received' }],
    ] as const) {
      const answer = await call(
        finances.url,
        'POST',
        `/_matrix/federation/unstable/org.chancery/account_move/${path}`,
        { body },
      )
      expect(answer.status).toBe(401)
    }
  })
})
