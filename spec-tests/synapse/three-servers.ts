import { describe, expect, it } from '@jest/globals'
import { sendText, v3, type User } from '../harness/client.js'
import { sameRoom } from './compare.js'
import type { Pair, Side } from './pair.js'
import { becomes, hostedRoom, inRoom, join, sees, setState, SIDES, tells } from './room.js'

const enc = encodeURIComponent
const LATE_MS = 40_000

interface Place {
  readonly side: Side
  readonly user: User
}

/** Two nodes of ours and a Synapse in one room: what one says reaches both others, and nobody passes it on twice. */
export function threeServers(pair: () => Pair): void {
  describe.each(SIDES)('three servers in a room made on %s', (hostName) => {
    async function shared(): Promise<{ roomId: string; places: readonly [Place, Place, Place] }> {
      const { chancery, synapse } = pair()
      const third = await pair().another()
      const [host, other] = hostName === 'chancery' ? [chancery, synapse] : [synapse, chancery]
      const users = [host.first, await other.user('other'), await third.user('third')] as const
      const roomId = await hostedRoom({ host, guest: other }, '11', {
        powers: { [users[1].userId]: 60, [users[2].userId]: 60 },
      })
      await join(users[1], roomId, host)
      // Through the server that is not the room's own.
      await join(users[2], roomId, other)
      const sides = [host, other, third] as const
      const places = users.map((user, i) => ({ side: sides[i]!, user })) as [Place, Place, Place]
      return { roomId, places }
    }
    async function allAgree(roomId: string, [a, b, c]: readonly [Place, Place, Place]): Promise<void> {
      await sameRoom(roomId, a, b, false)
      await sameRoom(roomId, b, c, false)
    }

    it('hear each other, and have one state', async () => {
      const { roomId, places } = await shared()
      const [host, other, third] = places
      for (const from of places) {
        for (const to of places)
          if (to !== from) await tells(from.user, to.user, roomId, `${from.user.userId} to ${to.user.userId}`)
      }
      await setState(third.user, roomId, 'm.room.topic', { topic: 'of the third' })
      const guest = await other.side.user('removed')
      await join(guest, roomId, third.side)
      await becomes(third.user, roomId, guest, 'join')
      await third.user.ok('POST', inRoom(roomId, 'ban'), { user_id: guest.userId })
      for (const { user } of places) await becomes(user, roomId, guest, 'ban')
      const refused = await guest.call('PUT', inRoom(roomId, 'send/m.room.message/late'), {
        body: { msgtype: 'm.text', body: 'banned' },
      })
      expect(refused.status).toBe(403)
      await host.user.ok('PUT', v3(`/profile/${enc(host.user.userId)}/displayname`), {
        displayname: 'The host',
      })
      await allAgree(roomId, places)
    })

    it('go on while one of them is away, which then has all of it', async () => {
      const { roomId, places } = await shared()
      const [host, other, third] = places
      await tells(third.user, host.user, roomId, 'I am leaving')
      await third.side.stop()
      let last = ''
      for (let i = 0; i < 20; i++) {
        await sendText(host.user, roomId, `host ${i}`)
        last = await sendText(other.user, roomId, `other ${i}`)
      }
      await setState(host.user, roomId, 'm.room.name', { name: 'Without the third' })
      await sees(host.user, roomId, last)
      await third.side.start()
      await tells(host.user, other.user, roomId, 'is it back?')
      await sees(third.user, roomId, last, LATE_MS)
      await tells(third.user, other.user, roomId, 'I am back')
      await allAgree(roomId, places)
    })
  })
}
