import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { register, type User } from '../harness/client.js'
import { startNode, type Node } from '../harness/node.js'
import { startDriver, type Driver, type Loose, type Person } from './js-sdk.js'

let node: Node
let driver: Driver
const accounts = new Map<string, User>()

async function device(name: string, account = name): Promise<Person> {
  const user = accounts.get(account) ?? (await register(node.url, account))
  accounts.set(account, user)
  return driver.logIn(name, { url: node.url, user: user.userId, password: user.password })
}

beforeAll(async () => {
  node = await startNode()
  driver = await startDriver()
})
afterAll(async () => {
  await driver?.close()
  await node?.dispose()
})

describe('matrix-js-sdk with Rust crypto on one node', () => {
  let alice: Person
  let bob: Person
  let roomId: string
  let recoveryKey: string

  it('two people in an encrypted room read each other', async () => {
    alice = await device('alice')
    bob = await device('bob')
    roomId = await alice.do('createEncryptedRoom', { name: 'Budget', invite: [bob.userId] })
    await bob.do('waitForInvite', roomId)
    await bob.do('join', roomId)
    await alice.do('waitForMember', roomId, bob.userId)
    await alice.do('sendText', roomId, 'hello from alice')
    const seen = await bob.do('waitForText', roomId, 'hello from alice')
    expect(seen).toMatchObject({ sender: alice.userId, wireType: 'm.room.encrypted' })
    await bob.do('sendText', roomId, 'hello from bob')
    expect(await alice.do('waitForText', roomId, 'hello from bob')).toMatchObject({
      sender: bob.userId,
      wireType: 'm.room.encrypted',
    })
  })

  it('shows typing and read receipts', async () => {
    await bob.do('setTyping', roomId, true)
    await alice.do('waitForTyping', roomId, bob.userId, true)
    await bob.do('setTyping', roomId, false)
    await alice.do('waitForTyping', roomId, bob.userId, false)
    const eventId: string = await alice.do('sendText', roomId, 'read this')
    await bob.do('waitForText', roomId, 'read this')
    await bob.do('markRead', roomId, eventId)
    await alice.do('waitForReceipt', roomId, bob.userId, eventId)
  })

  it('sets up cross-signing, secret storage and a key backup', async () => {
    recoveryKey = await alice.do('bootstrap', accounts.get('alice')!.password)
    expect(await alice.do('status')).toEqual({
      crossSigningReady: true,
      secretStorageReady: true,
      backupVersion: expect.any(String),
    })
    await alice.do('waitForTrust', alice.userId, alice.deviceId, { crossSigned: true })
    await alice.do('waitForBackup', 2)
  })

  it('verifies a second device by emoji; others see it as signed by its owner', async () => {
    const phone = await device('alice-phone', 'alice')
    await alice.do('waitForTrust', alice.userId, phone.deviceId, { signedByOwner: false })
    expect(await alice.do('verifyEachOther', 'alice-phone')).toHaveLength(7)
    await alice.do('waitForTrust', alice.userId, phone.deviceId, { crossSigned: true })
    await bob.do('waitForTrust', alice.userId, phone.deviceId, { signedByOwner: true })
    await bob.do('sendText', roomId, 'for both devices')
    await phone.do('waitForText', roomId, 'for both devices')
    await alice.do('waitForText', roomId, 'for both devices')
  })

  it('gives a new device the old messages from the backup, with the recovery key alone', async () => {
    const tablet = await device('alice-tablet', 'alice')
    const before: Loose[] = await tablet.do('timeline', roomId)
    expect(before.filter((event) => event.failure !== undefined)).not.toHaveLength(0)
    const { imported } = await tablet.do('restoreBackup', recoveryKey)
    expect(imported).toBeGreaterThanOrEqual(2)
    await tablet.do('waitForText', roomId, 'hello from alice')
    await tablet.do('waitForText', roomId, 'hello from bob')
  })

  it('delivers the keys of messages that were sent while a device was off, across a restart and kill -9 of the node', async () => {
    await bob.do('goOffline')
    await alice.do('renewKeys', roomId)
    await alice.do('sendText', roomId, 'while bob is off')
    await node.stop()
    await node.start()
    await alice.do('sendText', roomId, 'after the restart')
    await node.kill()
    await node.start()
    await bob.do('goOnline')
    await bob.do('waitForText', roomId, 'while bob is off')
    await bob.do('waitForText', roomId, 'after the restart')
    await bob.do('sendText', roomId, 'bob is back')
    await alice.do('waitForText', roomId, 'bob is back')
  })

  it('encrypts for somebody who was off line the whole time, and who joins late', async () => {
    const carol = await device('carol')
    await carol.do('goOffline')
    await alice.do('invite', roomId, carol.userId)
    await carol.do('goOnline')
    await carol.do('waitForInvite', roomId)
    await carol.do('join', roomId)
    await alice.do('waitForMember', roomId, carol.userId)
    await carol.do('goOffline')
    await alice.do('renewKeys', roomId)
    await alice.do('sendText', roomId, 'welcome carol')
    await carol.do('goOnline')
    await carol.do('waitForText', roomId, 'welcome carol')
  })

  it('scrolls back to the beginning of a room', async () => {
    for (let i = 0; i < 30; i += 1) await alice.do('sendText', roomId, `line ${i}`)
    await bob.do('waitForText', roomId, 'line 29')
    const all: Loose[] = await bob.do('scrollToTop', roomId)
    expect(all[0]).toMatchObject({ type: 'm.room.create' })
    const lines = all.map((event) => event.content.body).filter((body) => /^line \d+$/.test(body))
    expect(lines).toEqual(Array.from({ length: 30 }, (_, i) => `line ${i}`))
  })
})
