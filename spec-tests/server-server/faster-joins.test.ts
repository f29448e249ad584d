import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { register, startSync, v3, type User } from '../harness/client.js'
import { foreignRoom, sendPdus, type ForeignRoom } from '../harness/foreign-room.js'
import { startForeignServer, type ForeignServer } from '../harness/foreign-server.js'
import { startNode, testAuthority, type Node } from '../harness/node.js'

const enc = encodeURIComponent
const MEMBERS = 60
const LAZY = { filter: JSON.stringify({ room: { state: { lazy_load_members: true } } }) }
let node: Node
let foreign: ForeignServer
let user: User
let rooms = 0
beforeAll(async () => {
  const authority = testAuthority()
  foreign = await startForeignServer(authority)
  node = await startNode({ authority, config: { federation: { faster_joins: true } } })
  user = await register(node.url, 'fast')
})
afterAll(async () => {
  await node?.dispose()
  await foreign?.close()
})

interface ClientEvent {
  readonly type: string
  readonly event_id: string
  readonly state_key?: string
}

/** A room that the user has joined without its members; they are given when the test says so. */
async function joined(): Promise<{ readonly room: ForeignRoom; readonly path: string; release(): void }> {
  const room = foreignRoom([foreign], MEMBERS, 0, `fast${(rooms += 1)}`)
  foreign.answer = room.answer
  room.leavesOutMembers = true
  let release: () => void = () => undefined
  room.beforeState = new Promise((resolve) => (release = resolve))
  await user.ok('POST', v3(`/join/${enc(room.roomId)}`), {}, { via: foreign.name })
  return { room, path: v3(`/rooms/${enc(room.roomId)}`), release }
}

const membersIn = (events: readonly ClientEvent[]): number =>
  events.filter(({ type }) => type === 'm.room.member').length

describe('a room whose members are not known yet', () => {
  it('is there for clients that load members lazily, and appears to others when they are known', async () => {
    const eager = await startSync(user)
    const lazy = await startSync(user, LAZY)
    const { room, release } = await joined()
    const block = await lazy.until('the room', (answer) => answer.rooms?.join?.[room.roomId])
    expect(block.timeline.events.at(-1)).toMatchObject({ type: 'm.room.member', state_key: user.userId })
    expect((await eager.next()).rooms?.join?.[room.roomId]).toBeUndefined()

    const said = room.say('while they are fetched')
    await sendPdus(foreign, node, [said])
    await lazy.until('the message', (answer) =>
      answer.rooms?.join?.[room.roomId]?.timeline.events.some(
        (event: ClientEvent) => event.event_id === said.id,
      ),
    )
    expect((await eager.next()).rooms?.join?.[room.roomId]).toBeUndefined()
    expect((await user.ok('GET', v3('/sync'))).rooms?.join?.[room.roomId]).toBeUndefined()

    release()
    const whole = await eager.until('the whole room', (answer) => answer.rooms?.join?.[room.roomId])
    expect(membersIn([...whole.state.events, ...whole.timeline.events])).toBeGreaterThanOrEqual(MEMBERS)
    expect(whole.timeline.events.map((event: ClientEvent) => event.event_id)).toContain(said.id)
    expect((await eager.next()).rooms?.join?.[room.roomId]).toBeUndefined()
    // Who loads lazily is not told of each.
    const later = (await lazy.next()).rooms?.join?.[room.roomId]
    expect(membersIn(later?.state.events ?? [])).toBeLessThan(5)
  })

  it('answers who is in it when it is known', async () => {
    const { room, path, release } = await joined()
    const answers = Promise.all([
      user.ok('GET', `${path}/members`),
      user.ok('GET', `${path}/joined_members`),
      user.ok('GET', `${path}/state`),
      user.ok('GET', `${path}/state/m.room.member/${enc(room.state.at(-1)!.stateKey!)}`),
    ])
    let isAnswered = false
    void answers.then(() => (isAnswered = true))
    // What needs no members is answered meanwhile.
    await user.ok('GET', `${path}/state/m.room.power_levels`)
    expect(isAnswered).toBe(false)
    release()
    const [members, joinedMembers, state, one] = await answers
    expect(members.chunk.length).toBeGreaterThan(MEMBERS)
    expect(Object.keys(joinedMembers.joined).length).toBe(members.chunk.length)
    expect(membersIn(state as unknown as ClientEvent[])).toBe(members.chunk.length)
    expect(one.membership).toBe('join')
  })

  it('names its members for device lists when they are known', async () => {
    const lazy = await startSync(user, LAZY)
    const { room, release } = await joined()
    const someone = room.state.at(-1)!.stateKey!
    await lazy.until('the room', (answer) => answer.rooms?.join?.[room.roomId])
    release()
    await lazy.until('the members', (answer) => answer.device_lists?.changed?.includes(someone))
  })

  it('can be left before they are known', async () => {
    const { path, release } = await joined()
    await user.ok('POST', `${path}/leave`, {})
    expect((await user.ok('GET', v3('/joined_rooms'))).joined_rooms).not.toContain(
      decodeURIComponent(path.split('/').at(-1)!),
    )
    release()
  })
})
