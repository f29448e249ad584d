import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import sharp from 'sharp'
import { register, type User } from '../harness/client.js'
import { startNode, testAuthority, type Node } from '../harness/node.js'
import { startDriver, type Driver, type Loose, type Person } from './js-sdk.js'

let finances: Node
let interieur: Node
let driver: Driver
let alice: Person
let bruno: Person
const accounts = new Map<Person, User>()

async function device(name: string, node: Node): Promise<Person> {
  const user = await register(node.url, name)
  const person = await driver.logIn(name, { url: node.url, user: user.userId, password: user.password })
  accounts.set(person, user)
  return person
}

/** A picture that compresses badly, so that a truncated copy would be noticed. */
async function picture(width: number, height: number): Promise<Buffer> {
  const noise = { type: 'gaussian', mean: 128, sigma: 30 } as const
  return sharp({ create: { width, height, channels: 3, background: '#2a6', noise } })
    .png()
    .toBuffer()
}

beforeAll(async () => {
  const authority = testAuthority()
  ;[finances, interieur] = await Promise.all([startNode({ authority }), startNode({ authority })])
  driver = await startDriver()
  alice = await device('alice', finances)
  bruno = await device('bruno', interieur)
})
afterAll(async () => {
  await driver?.close()
  await Promise.all([finances?.dispose(), interieur?.dispose()])
})

describe('matrix-js-sdk with Rust crypto on two nodes', () => {
  let roomId: string

  it('two people of two nodes in an encrypted room read each other', async () => {
    roomId = await alice.do('createEncryptedRoom', { name: 'Joint budget', invite: [bruno.userId] })
    await bruno.do('waitForInvite', roomId)
    await bruno.do('join', roomId)
    await alice.do('waitForMember', roomId, bruno.userId)
    await alice.do('sendText', roomId, 'hello from finances')
    expect(await bruno.do('waitForText', roomId, 'hello from finances')).toMatchObject({
      sender: alice.userId,
      wireType: 'm.room.encrypted',
    })
    await bruno.do('sendText', roomId, 'hello from interieur')
    expect(await alice.do('waitForText', roomId, 'hello from interieur')).toMatchObject({
      sender: bruno.userId,
      wireType: 'm.room.encrypted',
    })
  })

  it('typing and read receipts cross over', async () => {
    await bruno.do('setTyping', roomId, true)
    await alice.do('waitForTyping', roomId, bruno.userId, true)
    await bruno.do('setTyping', roomId, false)
    await alice.do('waitForTyping', roomId, bruno.userId, false)
    const eventId: string = await alice.do('sendText', roomId, 'read this')
    await bruno.do('waitForText', roomId, 'read this')
    await bruno.do('markRead', roomId, eventId)
    await alice.do('waitForReceipt', roomId, bruno.userId, eventId)
  })

  it('a picture and its thumbnail are seen on the other node', async () => {
    const forum: string = await alice.do('createRoom', {
      preset: 'public_chat',
      room_alias_name: 'forum',
      name: 'Forum',
    })
    expect(await bruno.do('join', `#forum:${finances.serverName}`)).toBe(forum)
    const png = await picture(900, 600)
    const sent = { name: 'plan.png', type: 'image/png', base64: png.toString('base64'), encrypted: false }
    const { url } = await alice.do('sendPicture', forum, sent)
    const event: Loose = await bruno.do('waitForText', forum, 'plan.png')
    expect(event.content.url).toBe(url)
    expect(await bruno.do('openPicture', event.content)).toEqual({
      status: 200,
      type: 'image/png',
      base64: png.toString('base64'),
    })
    const small = await bruno.do('download', url, { width: 320, height: 240, method: 'scale' })
    expect(small.status).toBe(200)
    expect(await sharp(Buffer.from(small.base64, 'base64')).metadata()).toMatchObject({
      width: 320,
      height: 213,
    })
  })

  it('an encrypted picture is decrypted on the other node', async () => {
    const png = await picture(300, 200)
    const sent = { name: 'secret.png', type: 'image/png', base64: png.toString('base64'), encrypted: true }
    const { url } = await bruno.do('sendPicture', roomId, sent)
    const event: Loose = await alice.do('waitForText', roomId, 'secret.png')
    expect(event).toMatchObject({ wireType: 'm.room.encrypted', content: { file: { url } } })
    const stored = await alice.do('download', url)
    expect(stored.base64).not.toBe(png.toString('base64'))
    expect((await alice.do('openPicture', event.content)).base64).toBe(png.toString('base64'))
  })

  it('cross-signing is seen, and two people verify each other across nodes', async () => {
    await alice.do('bootstrap', accounts.get(alice)!.password)
    await bruno.do('bootstrap', accounts.get(bruno)!.password)
    await bruno.do('waitForTrust', alice.userId, alice.deviceId, { signedByOwner: true, crossSigned: false })
    await alice.do('waitForTrust', bruno.userId, bruno.deviceId, { signedByOwner: true, crossSigned: false })
    expect(await alice.do('verifyEachOther', 'bruno')).toHaveLength(7)
    await bruno.do('waitForTrust', alice.userId, alice.deviceId, { crossSigned: true })
    await alice.do('waitForTrust', bruno.userId, bruno.deviceId, { crossSigned: true })
  })

  it('what was said while one node was down arrives decrypted, both ways, when it is back', async () => {
    await interieur.kill()
    await alice.do('renewKeys', roomId)
    for (let i = 0; i < 3; i += 1) await alice.do('sendText', roomId, `interieur is down ${i}`)
    await interieur.start()
    await bruno.do('goOnline')
    for (let i = 0; i < 3; i += 1) await bruno.do('waitForText', roomId, `interieur is down ${i}`)

    await finances.stop()
    await bruno.do('renewKeys', roomId)
    await bruno.do('sendText', roomId, 'finances is down')
    await finances.start()
    await alice.do('goOnline')
    await alice.do('waitForText', roomId, 'finances is down')
    await alice.do('sendText', roomId, 'all are back')
    await bruno.do('waitForText', roomId, 'all are back')
  })

  it('a device that logs in while the other node is down gets the keys of what is said later', async () => {
    await finances.stop()
    const user = accounts.get(bruno)!
    const phone = await driver.logIn('bruno-phone', {
      url: interieur.url,
      user: user.userId,
      password: user.password,
    })
    await finances.start()
    await alice.do('goOnline')
    await alice.do('waitForTrust', bruno.userId, phone.deviceId, { signedByOwner: false })
    await alice.do('sendText', roomId, 'for the new phone too')
    await phone.do('waitForText', roomId, 'for the new phone too')
    await bruno.do('waitForText', roomId, 'for the new phone too')
  })

  it('somebody who joins later scrolls back over what the other node has', async () => {
    const archive: string = await alice.do('createRoom', {
      preset: 'public_chat',
      room_alias_name: 'archive',
      initial_state: [
        { type: 'm.room.history_visibility', state_key: '', content: { history_visibility: 'shared' } },
      ],
    })
    for (let i = 0; i < 35; i += 1) await alice.do('sendText', archive, `minute ${i}`)
    await bruno.do('join', `#archive:${finances.serverName}`)
    await bruno.do('sendText', archive, 'good to be here')
    await alice.do('waitForText', archive, 'good to be here')
    const all: Loose[] = await bruno.do('scrollToTop', archive)
    const minutes = all.map((event) => event.content.body).filter((body) => /^minute \d+$/.test(body))
    expect(minutes).toEqual(Array.from({ length: 35 }, (_, i) => `minute ${i}`))
    expect(all[0]).toMatchObject({ type: 'm.room.create' })
  })

  it('a colleague who has left sees nothing of what is said afterwards', async () => {
    const forum: string = await bruno.do('join', `#forum:${finances.serverName}`)
    await bruno.do('leave', roomId)
    await alice.do('waitForGone', roomId, bruno.userId)
    const eventId: string = await alice.do('sendText', roomId, 'without bruno')
    // What comes later in another room has arrived: so would this have.
    await alice.do('sendText', forum, 'to everybody')
    await bruno.do('waitForText', forum, 'to everybody')
    const seen: Loose[] = await bruno.do('timeline', roomId)
    expect(seen.map((event) => event.id)).not.toContain(eventId)
  })
})
