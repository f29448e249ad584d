import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { register } from '../harness/client.js'
import { startNode, type Node } from '../harness/node.js'
import { startDriver, type Driver, type Person } from './js-sdk.js'

const TRANSPORTS = [{ type: 'livekit', livekit_service_url: 'https://rtc.example.org/token' }]
const TURN = { uris: ['turn:turn.example.org?transport=udp'], secret: 'shared with the TURN server' }
/** Everybody may be in calls, as Element makes rooms. */
const LEVELS = { events: { 'org.matrix.msc3401.call.member': 0 } }

let node: Node
let driver: Driver
let alice: Person
let bob: Person
beforeAll(async () => {
  node = await startNode({ config: { rtc: { transports: TRANSPORTS }, turn: TURN } })
  driver = await startDriver()
  const logIn = async (name: string): Promise<Person> => {
    const user = await register(node.url, name)
    return driver.logIn(name, { url: node.url, user: user.userId, password: user.password })
  }
  alice = await logIn('alice')
  bob = await logIn('bob')
})
afterAll(async () => {
  await driver?.close()
  await node?.dispose()
})

async function encryptedRoom(): Promise<string> {
  const roomId: string = await alice.do('createEncryptedRoom', {
    invite: [bob.userId],
    power_level_content_override: LEVELS,
  })
  await bob.do('waitForInvite', roomId)
  await bob.do('join', roomId)
  await alice.do('waitForMember', roomId, bob.userId)
  return roomId
}

describe('threads in matrix-js-sdk', () => {
  it('are kept apart from the room, counted, read and listed', async () => {
    const roomId: string = await alice.do('createRoom', { invite: [bob.userId], preset: 'private_chat' })
    await bob.do('waitForInvite', roomId)
    await bob.do('join', roomId)
    await alice.do('waitForMember', roomId, bob.userId)
    const root: string = await alice.do('sendText', roomId, 'a question')
    await bob.do('waitForText', roomId, 'a question')
    await bob.do('replyInThread', roomId, root, 'one answer')
    await alice.do('waitForThread', roomId, root, ['one answer'])
    await alice.do('waitForThreadUnread', roomId, root, 1)
    await bob.do('replyInThread', roomId, root, 'another answer')
    expect(await alice.do('waitForThread', roomId, root, ['one answer', 'another answer'])).toEqual({
      // The question is hers.
      mine: true,
      root: 'a question',
      inMain: 0,
    })
    await alice.do('waitForThreadUnread', roomId, root, 2)
    await alice.do('markThreadRead', roomId, root)
    await alice.do('waitForThreadUnread', roomId, root, 0)
    await alice.do('replyInThread', roomId, root, 'thanks')
    expect(
      await bob.do('waitForThread', roomId, root, ['one answer', 'another answer', 'thanks']),
    ).toMatchObject({ mine: true })
    expect(await bob.do('listThreads', roomId)).toEqual([root])
  })

  it('are read where they are encrypted', async () => {
    const roomId = await encryptedRoom()
    const root: string = await alice.do('sendText', roomId, 'a secret question')
    await bob.do('waitForText', roomId, 'a secret question')
    await bob.do('replyInThread', roomId, root, 'a secret answer')
    expect(await alice.do('waitForThread', roomId, root, ['a secret answer'])).toMatchObject({
      root: 'a secret question',
    })
  })
})

describe('calls in matrix-js-sdk', () => {
  it('between two are set up by events, with credentials for the TURN server', async () => {
    const turn = await alice.do('turnServer')
    expect(turn).toMatchObject({ uris: TURN.uris, ttl: expect.any(Number) })
    expect(turn.username.split(':').slice(1).join(':')).toBe(alice.userId)
    expect(turn.password).not.toBe((await bob.do('turnServer')).password)
    const roomId = await encryptedRoom()
    const call = { call_id: 'c1', party_id: 'a', version: '1' }
    await alice.do('sendEvent', roomId, 'm.call.invite', {
      ...call,
      lifetime: 60_000,
      offer: { type: 'offer', sdp: 'v=0' },
    })
    expect(await bob.do('waitForEvent', roomId, 'm.call.invite')).toMatchObject({ call_id: 'c1' })
    const answer = { ...call, party_id: 'b', answer: { type: 'answer', sdp: 'v=0' } }
    await bob.do('sendEvent', roomId, 'm.call.answer', answer)
    expect(await alice.do('waitForEvent', roomId, 'm.call.answer')).toEqual(answer)
    await alice.do('sendEvent', roomId, 'm.call.hangup', { ...call, reason: 'user_hangup' })
    expect(await bob.do('waitForEvent', roomId, 'm.call.hangup')).toMatchObject({ reason: 'user_hangup' })
  })

  it('of many know where to go', async () => {
    expect(await alice.do('rtcTransports')).toEqual(TRANSPORTS)
  })

  // With room state as clients of today do, and with sticky events as the next ones will.
  it.each([
    ['state', false],
    ['sticky events', true],
  ])('of many are joined and left by %s, also by a device that is gone', async (_how, isSticky) => {
    const roomId = await encryptedRoom()
    const options = {
      unstableSendStickyEvents: isSticky,
      delayedLeaveEventDelayMs: 4_000,
      delayedLeaveEventRestartMs: 1_000,
    }
    await alice.do('joinCall', roomId, TRANSPORTS, options)
    await bob.do('waitForCall', roomId, [alice.userId])
    await bob.do('joinCall', roomId, TRANSPORTS, options)
    for (const person of [alice, bob]) await person.do('waitForCall', roomId, [alice.userId, bob.userId])
    await bob.do('leaveCall', roomId)
    await alice.do('waitForCall', roomId, [alice.userId])
    await bob.do('joinCall', roomId, TRANSPORTS, options)
    await alice.do('waitForCall', roomId, [alice.userId, bob.userId])
    // Nothing says that it leaves: the server does, when the delay is over; after a restart of the node, too.
    await bob.do('goOffline')
    await node.kill()
    await node.start()
    await alice.do('waitForCall', roomId, [alice.userId])
    await bob.do('goOnline')
    await alice.do('leaveCall', roomId)
  })
})
