import { describe, expect, it } from '@jest/globals'
import { sendText, v3 } from '../harness/client.js'
import type { Pair } from './pair.js'
import { agree, hostedRoom, inRoom, join, membership, rolesOf, setState, SIDES, tells } from './room.js'

const enc = encodeURIComponent

/** Neither server hears the other while this runs. */
async function partitioned(pair: Pair, body: () => Promise<void>): Promise<void> {
  pair.chancery.gate.shut()
  pair.synapse.gate.shut()
  try {
    await body()
  } finally {
    pair.chancery.gate.open()
    pair.synapse.gate.open()
  }
}

export function partitionScenarios(pair: () => Pair, versions: readonly string[]): void {
  const cases = versions.flatMap((version) => SIDES.map((host) => [version, host] as const))
  describe.each(cases)('in a room of version %s made on %s, after a partition', (version, hostName) => {
    it('conflicting topics, names, removals and power levels are resolved to the same on both sides', async () => {
      const roles = rolesOf(pair(), hostName)
      const { host, guest } = roles
      const [owner, stayer, moderator, member] = [host.first, host.second, guest.first, guest.second]
      const roomId = await hostedRoom(roles, version, { powers: { [moderator.userId]: 50 } })
      await join(moderator, roomId, host)
      await join(member, roomId, host)
      await join(stayer, roomId, host)
      await tells(stayer, member, roomId, 'everybody is here')
      const before = await owner.ok('GET', inRoom(roomId, 'state/m.room.power_levels'))
      await partitioned(pair(), async () => {
        await setState(owner, roomId, 'm.room.topic', { topic: 'by the owner' })
        await setState(owner, roomId, 'm.room.power_levels', {
          ...before,
          users: { ...before.users, [moderator.userId]: 0 },
        })
        await setState(owner, roomId, 'm.room.name', { name: 'by the owner' })
        await owner.ok('POST', inRoom(roomId, 'ban'), { user_id: member.userId })
        await sendText(stayer, roomId, 'still here')

        await setState(moderator, roomId, 'm.room.topic', { topic: 'by the moderator' })
        await setState(moderator, roomId, 'm.room.guest_access', { guest_access: 'forbidden' })
        await moderator.ok('POST', inRoom(roomId, 'kick'), { user_id: stayer.userId })
        await setState(member, roomId, 'm.room.member', { membership: 'join', displayname: 'Renamed' }, member.userId)
        await sendText(member, roomId, 'not banned here')
        await setState(moderator, roomId, 'm.room.name', { name: 'by the moderator' })
      }) // prettier-ignore
      // What each says now comes with what was said before it; the second round joins the forks that the first has left.
      for (let round = 0; round < 2; round++) {
        await tells(owner, moderator, roomId, `do you hear me? ${round}`)
        await tells(moderator, owner, roomId, `I hear you ${round}`)
      }
      await agree(roles, roomId, moderator, false)
      // Without it there was no conflict: what the guests did after their ban and demotion is not shown here.
      expect(host.hidden(roomId).size).toBeGreaterThan(0)
      // The ban and the lower level of whoever is more powerful hold.
      expect(await membership(moderator, roomId, member)).toBe('ban')
      const levels = await moderator.ok('GET', inRoom(roomId, 'state/m.room.power_levels'))
      expect(levels.users[moderator.userId]).toBe(0)
    })
  })

  describe.each(SIDES)('a room made on %s that both sides left behind in a partition', (hostName) => {
    it('keeps bans of either side, and heals although forty messages stand on each', async () => {
      const roles = rolesOf(pair(), hostName)
      const { host, guest } = roles
      const [owner, moderator] = [host.first, guest.first]
      const roomId = await hostedRoom(roles, '11', { powers: { [moderator.userId]: 90 } })
      await join(moderator, roomId, host)
      await join(guest.second, roomId, host)
      await tells(moderator, owner, roomId, 'hello')
      await partitioned(pair(), async () => {
        for (let i = 0; i < 40; i++) {
          await sendText(owner, roomId, `host ${i}`)
          await sendText(i % 2 === 0 ? moderator : guest.second, roomId, `guest ${i}`)
        }
        await owner.ok('POST', inRoom(roomId, 'ban'), { user_id: '@first:stranger.example' })
        await moderator.ok('POST', inRoom(roomId, 'ban'), { user_id: '@second:stranger.example' })
      })
      for (let round = 0; round < 2; round++) {
        await tells(owner, moderator, roomId, `host again ${round}`)
        await tells(moderator, owner, roomId, `guest again ${round}`)
      }
      await agree(roles, roomId, moderator, false)
      const members = await owner.ok('GET', v3(`/rooms/${enc(roomId)}/members`))
      const banned = (members.chunk as { state_key: string; content: { membership: string } }[])
        .filter(({ content }) => content.membership === 'ban')
        .map((event) => event.state_key)
      expect(banned.toSorted()).toEqual(['@first:stranger.example', '@second:stranger.example'])
    })
  })
}
