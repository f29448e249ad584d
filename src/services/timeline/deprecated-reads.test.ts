import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { testServices, type TestServices } from '../../composition/testing.js'
import type { Requester } from '../requester.js'

/* oxlint-disable typescript/no-explicit-any */

let test: TestServices
let alice: Requester
let bob: Requester
let carol: Requester
beforeAll(async () => {
  test = await testServices()
  alice = await test.user('alice')
  bob = await test.user('bob')
  carol = await test.user('carol')
})
afterAll(() => test.close())

let txn = 0
async function text(who: Requester, roomId: string, body: string): Promise<string> {
  const input = { roomId, type: 'm.room.message', content: { msgtype: 'm.text', body }, txnId: `t${++txn}` }
  return (await test.services.sending.message(who, input)).event_id
}
const create = async (options: object = { preset: 'private_chat' }): Promise<string> =>
  (await test.services.roomCreation.create(alice, options)).room_id
const join = (who: Requester, room: string): Promise<unknown> =>
  test.services.memberships.join(who, { room, via: [], content: {} })
const next = (who: Requester, input: object = {}): Promise<any> =>
  test.services.eventStream.next(who, {
    timeoutMs: 0,
    signal: new AbortController().signal,
    stillAllowed: () => Promise.resolve(),
    ...input,
  })
const ids = (answer: any): string[] => answer.chunk.map((event: any) => event.event_id)
const worldReadable = {
  preset: 'public_chat',
  initial_state: [
    { type: 'm.room.history_visibility', state_key: '', content: { history_visibility: 'world_readable' } },
  ],
}

describe('GET /events', () => {
  it('gives what comes, in order and once, to who is in the room', async () => {
    const roomId = await create({ preset: 'public_chat' })
    await join(bob, roomId)
    const { end, chunk } = await next(bob)
    expect(chunk).toEqual([])
    const sent: string[] = []
    for (let i = 0; i < 130; i++) sent.push(await text(alice, roomId, `m${i}`))
    const first = await next(bob, { from: end })
    expect(ids(first)).toEqual(sent.slice(0, 100))
    expect(first.start).toBe(end)
    expect(first.chunk[0]).toMatchObject({ room_id: roomId, content: { body: 'm0' } })
    const second = await next(bob, { from: first.end })
    expect(ids(second)).toEqual(sent.slice(100))
    expect(ids(await next(bob, { from: second.end }))).toEqual([])
    expect(ids(await next(carol, { from: end }))).toEqual([])
  })

  it('waits for what comes', async () => {
    const roomId = await create()
    const { end } = await next(alice)
    const waiting = next(alice, { from: end, timeoutMs: 10_000 })
    const id = await text(alice, roomId, 'here')
    expect(ids(await waiting)).toEqual([id])
  })

  it('ends when the session does', async () => {
    const { end } = await next(alice)
    const ended = { from: end, timeoutMs: 20, stillAllowed: () => Promise.reject(new Error('logged out')) }
    await expect(next(alice, ended)).rejects.toThrow('logged out')
  })

  it('tells of invitations and of being removed, and of nothing after that', async () => {
    const roomId = await create()
    const { end } = await next(bob)
    await text(alice, roomId, 'before')
    await test.services.memberships.invite(alice, { roomId, userId: bob.userId })
    const invited = await next(bob, { from: end })
    expect(invited.chunk).toMatchObject([{ type: 'm.room.member', content: { membership: 'invite' } }])
    await join(bob, roomId)
    const joined = await next(bob, { from: invited.end })
    await test.services.memberships.kick(alice, { roomId, userId: bob.userId })
    await text(alice, roomId, 'secret')
    const { chunk } = await next(bob, { from: joined.end })
    expect(chunk).toMatchObject([{ type: 'm.room.member', content: { membership: 'leave' } }])
  })

  it('shows a room that anybody may read to who is not in it, and wakes them; no other room', async () => {
    const roomId = await create(worldReadable)
    const { end } = await next(carol, { roomId })
    const waiting = next(carol, { roomId, from: end, timeoutMs: 10_000 })
    const id = await text(alice, roomId, 'for all')
    expect(ids(await waiting)).toEqual([id])
    const closed = await create()
    await expect(next(carol, { roomId: closed })).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' })
    await expect(next(carol, { roomId: '!none:ours.example' })).rejects.toMatchObject({
      errcode: 'M_FORBIDDEN',
    })
    await expect(next(carol, { from: 'nonsense' })).rejects.toMatchObject({ errcode: 'M_INVALID_PARAM' })
  })
})

describe('GET /initialSync', () => {
  it('gives rooms with their latest messages and state, invitations, and what was left if asked', async () => {
    const dave = await test.user('dave')
    const roomId = await create({ preset: 'public_chat', visibility: 'public', name: 'Here' })
    await join(dave, roomId)
    const sent: string[] = []
    for (let i = 0; i < 5; i++) sent.push(await text(alice, roomId, `m${i}`))
    const invited = await create()
    await test.services.memberships.invite(alice, { roomId: invited, userId: dave.userId })
    const left = await create({ preset: 'public_chat' })
    await join(dave, left)
    await test.services.memberships.leave(dave, { roomId: left })
    await test.services.accountData.set(dave.userId, '', 'org.example', { a: 1 })
    await test.services.accountData.set(dave.userId, roomId, 'org.example.room', { b: 2 })

    const answer: any = await test.services.initialSync.all(dave, { limit: 3, archived: false })
    const byId = new Map<string, any>(answer.rooms.map((room: any) => [room.room_id, room]))
    expect([...byId.keys()].sort()).toEqual([roomId, invited].sort())
    const room = byId.get(roomId)
    expect(room).toMatchObject({ membership: 'join', visibility: 'public', account_data: [{ type: 'org.example.room', content: { b: 2 } }] }) // prettier-ignore
    expect(ids(room.messages)).toEqual(sent.slice(2))
    expect(room.state.map((event: any) => event.type)).toEqual(expect.arrayContaining(['m.room.create', 'm.room.name', 'm.room.member'])) // prettier-ignore
    const earlier: any = await test.services.history.messages(dave, { roomId, dir: 'b', from: room.messages.start, limit: 2 }) // prettier-ignore
    expect(ids(earlier)).toEqual([sent[1], sent[0]])
    expect(byId.get(invited)).toMatchObject({ membership: 'invite', invite: { state_key: dave.userId, room_id: invited } }) // prettier-ignore
    expect(answer.account_data).toContainEqual({ type: 'org.example', content: { a: 1 } })
    const id = await text(alice, roomId, 'later')
    expect(ids(await next(dave, { from: answer.end }))).toEqual([id])

    const archived: any = await test.services.initialSync.all(dave, { limit: 1, archived: true })
    const gone = archived.rooms.find((item: any) => item.room_id === left)
    expect(gone.membership).toBe('leave')
    expect(gone.messages.chunk).toMatchObject([{ type: 'm.room.member', state_key: dave.userId }])
  })

  it('of one room is for who is or was in it, and for all where anybody may read', async () => {
    const roomId = await create({ preset: 'public_chat' })
    const secret = await text(alice, roomId, 'first')
    await expect(test.services.initialSync.room(carol, roomId)).rejects.toMatchObject({
      errcode: 'M_FORBIDDEN',
    })
    await expect(test.services.initialSync.room(carol, '!none:ours.example')).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' }) // prettier-ignore
    await join(bob, roomId)
    await test.services.memberships.leave(bob, { roomId })
    await text(alice, roomId, 'later')
    const own: any = await test.services.initialSync.room(bob, roomId)
    expect(own.membership).toBe('leave')
    expect(ids(own.messages)).toContain(secret)
    expect(own.messages.chunk.at(-1)).toMatchObject({ type: 'm.room.member', state_key: bob.userId })
    const open = await create(worldReadable)
    const peeked: any = await test.services.initialSync.room(carol, open)
    expect(peeked.membership).toBeUndefined()
    expect(peeked.room_id).toBe(open)
    expect(peeked.state.length).toBeGreaterThan(4)
  })
})

describe('GET /events/{eventId}', () => {
  it('finds an event whatever its room, for who may see it', async () => {
    const roomId = await create()
    const id = await text(alice, roomId, 'mine')
    expect(await test.services.history.eventAnywhere(alice, id)).toMatchObject({
      event_id: id,
      room_id: roomId,
    })
    const unknown = { errcode: 'M_NOT_FOUND', message: 'Unknown event' }
    await expect(test.services.history.eventAnywhere(carol, id)).rejects.toMatchObject(unknown)
    await expect(test.services.history.eventAnywhere(alice, '$none')).rejects.toMatchObject(unknown)
  })
})
