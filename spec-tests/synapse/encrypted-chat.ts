import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { startDriver, type Driver, type Person } from '../sdk/js-sdk.js'
import type { Pair, Side } from './pair.js'
import { SIDES } from './room.js'

const TIME_MS = 120_000

/** matrix-js-sdk with its Rust crypto at both ends, one person on each server. */
export function encryptedChats(pair: () => Pair): void {
  describe.each(SIDES)('an encrypted room made by a client on %s', (hostName) => {
    let driver: Driver
    let host: Person
    let guest: Person
    let roomId: string
    const passwords = new Map<Person, string>()

    async function device(side: Side, name: string): Promise<Person> {
      const user = await side.user(name)
      const person = await driver.logIn(name, { url: side.url, user: user.userId, password: user.password })
      passwords.set(person, user.password)
      return person
    }

    beforeAll(async () => {
      const { chancery, synapse } = pair()
      driver = await startDriver()
      const [here, there] = hostName === 'chancery' ? [chancery, synapse] : [synapse, chancery]
      host = await device(here, 'agathe')
      guest = await device(there, 'bilal')
    }, TIME_MS)
    afterAll(() => driver?.close())

    it(
      'is read and written at both ends, before and after its keys are renewed',
      async () => {
        roomId = await host.do('createEncryptedRoom', { name: 'Between two servers', invite: [guest.userId] })
        await guest.do('waitForInvite', roomId)
        await guest.do('join', roomId)
        await host.do('waitForMember', roomId, guest.userId)
        for (const [from, to] of [
          [host, guest],
          [guest, host],
        ] as const) {
          const text = `from ${from.userId}`
          await from.do('sendText', roomId, text)
          expect(await to.do('waitForText', roomId, text)).toMatchObject({
            sender: from.userId,
            wireType: 'm.room.encrypted',
          })
        }
        // The keys are handed out anew, by one-time keys that the other server gives.
        await host.do('renewKeys', roomId)
        await host.do('sendText', roomId, 'with new keys')
        await guest.do('waitForText', roomId, 'with new keys')
      },
      TIME_MS,
    )

    it(
      'carries a large file',
      async () => {
        const base64 = randomBytes(1_000_000).toString('base64')
        const sent = { name: 'file.bin', type: 'application/octet-stream', base64, encrypted: true }
        await guest.do('sendPicture', roomId, sent)
        const event = await host.do('waitForText', roomId, 'file.bin')
        expect((await host.do('openPicture', event.content)).base64).toBe(base64)
      },
      TIME_MS,
    )

    it(
      'lets its people verify each other',
      async () => {
        for (const person of [host, guest]) await person.do('bootstrap', passwords.get(person))
        await guest.do('waitForTrust', host.userId, host.deviceId, { signedByOwner: true })
        await host.do('waitForTrust', guest.userId, guest.deviceId, { signedByOwner: true })
        expect(await host.do('verifyEachOther', guest.name)).toHaveLength(7)
        await guest.do('waitForTrust', host.userId, host.deviceId, { crossSigned: true })
        await host.do('waitForTrust', guest.userId, guest.deviceId, { crossSigned: true })
      },
      TIME_MS,
    )
  })
}
