import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { RoomEvent } from '../../src/core/event/types.js'
import { eventually, register, startSync, v3, type User } from '../harness/client.js'
import { foreignRoom, sendPdus } from '../harness/foreign-room.js'
import { startForeignServer, type ForeignServer } from '../harness/foreign-server.js'
import { startNode, testAuthority, type Node } from '../harness/node.js'

const enc = encodeURIComponent
let node: Node
let foreign: ForeignServer
let user: User
beforeAll(async () => {
  const authority = testAuthority()
  foreign = await startForeignServer(authority)
  node = await startNode({ authority })
  user = await register(node.url, 'reader')
})
afterAll(async () => {
  await node?.dispose()
  await foreign?.close()
})

interface ClientEvent {
  readonly type: string
  readonly event_id: string
  readonly content: { readonly topic?: string }
}

describe.each([
  ['state', {}],
  ['state_after', { use_state_after: true }],
] as const)('a change of state that state resolution makes by itself, in %s', (section, query) => {
  it('comes to clients with the next sync', async () => {
    const room = foreignRoom([foreign], 1, 0, `fork-${section}`)
    foreign.answer = room.answer
    await user.ok('POST', v3(`/join/${enc(room.roomId)}`), {}, { via: foreign.name })
    const stateEvent = (type: string, stateKey = ''): RoomEvent =>
      room.state.find((event) => event.type === type && event.stateKey === stateKey)!
    const create = stateEvent('m.room.create')
    const creator = stateEvent('m.room.member', room.creator)
    const member = room.state.at(-1)!
    const levels = (level: number, auth: RoomEvent, prev: readonly RoomEvent[]): RoomEvent =>
      room.add({
        type: 'm.room.power_levels',
        stateKey: '',
        content: { users: { [room.creator]: 100, [member.sender]: level } },
        auth: [create, auth, creator],
        prev,
      })
    const topic = (text: string, sender: string, auth: readonly RoomEvent[], prev: RoomEvent): RoomEvent =>
      room.add({ type: 'm.room.topic', stateKey: '', content: { topic: text }, sender, auth, prev: [prev] })

    const raised = levels(50, stateEvent('m.room.power_levels'), room.joins)
    const first = topic('first', room.creator, [create, raised, creator], raised)
    await sendPdus(foreign, node, [raised, first])
    const topicIs = (text: string) =>
      eventually(`the topic is ${text}`, async () => {
        const answer = await user.call('GET', v3(`/rooms/${enc(room.roomId)}/state/m.room.topic`))
        return answer.body.topic === text
      })
    await topicIs('first')
    // The moderator changes the topic while, on another branch, they are no moderator any more.
    const second = topic('second', member.sender, [create, raised, member], first)
    const lowered = levels(0, raised, [first])
    await sendPdus(foreign, node, [second])
    await topicIs('second')
    const sync = await startSync(user, query)
    await sendPdus(foreign, node, [lowered])
    const block = await sync.until('the change of power levels', (answer) => {
      const joined = answer.rooms.join?.[room.roomId]
      const came = joined?.timeline.events.some((event: ClientEvent) => event.event_id === lowered.id)
      return came === true ? joined : undefined
    })
    const events = block[section].events as ClientEvent[]
    expect(events.filter(({ type }) => type === 'm.room.topic')).toMatchObject([
      { event_id: first.id, content: { topic: 'first' } },
    ])
    await topicIs('first')
    // Told once.
    const later = await sync.next()
    expect(later.rooms.join?.[room.roomId]).toBeUndefined()
  })
})
