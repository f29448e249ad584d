import { describe, expect, it } from '@jest/globals'
import { eventually, sendText, startSync, v3, type User } from '../harness/client.js'
import { timelineOf } from './compare.js'
import { deviceKeys, uploadDevice } from './devices.js'
import type { Pair } from './pair.js'
import { agree, hostedRoom, join, rolesOf, sees, SIDES, tells } from './room.js'

const LONG = 500
const AWAY = 200
const WAIT_MS = 40_000

/** Several at once: what is measured is not how fast a server takes messages. */
async function say(user: User, roomId: string, count: number, word: string): Promise<string[]> {
  const sent: string[] = []
  for (let i = 0; i < count; i += 10) {
    const some = Array.from({ length: Math.min(10, count - i) }, (_, at) =>
      sendText(user, roomId, `${word} ${i + at}`),
    )
    sent.push(...(await Promise.all(some)))
  }
  return sent
}

export function historyScenarios(pair: () => Pair): void {
  describe.each(SIDES)('a room made on %s', (hostName) => {
    it(`gives the ${LONG} messages from before the join to who scrolls back on the other side`, async () => {
      const roles = rolesOf(pair(), hostName)
      const roomId = await hostedRoom(roles, '11')
      const sent = await say(roles.host.first, roomId, LONG, 'old')
      await join(roles.guest.first, roomId, roles.host)
      const seen = await eventually(
        'the whole history',
        async () => {
          const events = await timelineOf(roles.guest.first, roomId)
          const texts = events.filter(({ type }) => type === 'm.room.message')
          return texts.length === LONG ? texts.map((event) => event.event_id) : undefined
        },
        WAIT_MS,
      )
      expect(seen.toSorted()).toEqual(sent.toSorted())
      // Synapse lets messages that come at once fork.
      await agree(roles, roomId, roles.guest.first, roles.host.name === 'chancery')
    })

    it(`gets to the other side after it was down for ${AWAY} messages, a new device and a message to one`, async () => {
      const roles = rolesOf(pair(), hostName)
      const { host, guest } = roles
      const [here, there] = [await host.user('stayer'), await guest.user('absent')]
      const roomId = await hostedRoom(roles, '10')
      await join(here, roomId, host)
      await join(there, roomId, host)
      await join(guest.first, roomId, host)
      await uploadDevice(here, 'before')
      await tells(here, there, roomId, 'before')
      await deviceKeys(there, here, (keys) => keys.keys[`curve25519:${here.deviceId}`] === 'before')
      const sync = await startSync(there)
      await guest.stop()
      const sent = await say(here, roomId, AWAY, 'while you were away')
      await uploadDevice(here, 'after')
      await here.ok('PUT', v3('/sendToDevice/m.test/waits'), {
        messages: { [there.userId]: { [there.deviceId]: { waits: true } } },
      })
      await guest.start()
      // A server that was away is heard of again when it says something.
      await sendText(there, roomId, 'back')
      await sees(there, roomId, sent.at(-1)!, WAIT_MS)
      const got = { message: false, devices: false }
      await sync.until(
        'the message and the changed device',
        (answer) => {
          const events = (answer.to_device?.events ?? []) as { type: string }[]
          got.message ||= events.some(({ type }) => type === 'm.test')
          got.devices ||= (answer.device_lists?.changed ?? []).includes(here.userId)
          return got.message && got.devices
        },
        WAIT_MS,
      )
      await deviceKeys(there, here, (keys) => keys.keys[`curve25519:${here.deviceId}`] === 'after')
      await agree(roles, roomId, guest.first, false)
    })
  })
}
