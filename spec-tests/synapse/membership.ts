import { describe, expect, it } from '@jest/globals'
import { sendText, v3 } from '../harness/client.js'
import type { Pair } from './pair.js'
import { agree, becomes, hostedRoom, inRoom, invited, join, rolesOf, setState, SIDES, tells } from './room.js'

const enc = encodeURIComponent

export function membershipScenarios(pair: () => Pair, versions: readonly string[]): void {
  const cases = versions.flatMap((version) => SIDES.map((host) => [version, host] as const))
  describe.each(cases)('a room of version %s made on %s', (version, hostName) => {
    const knows = (least: number): typeof it.skip => (Number(version) >= least ? it : it.skip)

    it('is invited to, refused, joined, left, and has members kicked, banned and let in again', async () => {
      const roles = rolesOf(pair(), hostName)
      const { host, guest } = roles
      const [owner, mover, stayer] = [host.first, guest.first, guest.second]
      const roomId = await hostedRoom(roles, version, { preset: 'private_chat', name: 'Members' })
      const invite = async (user = mover): Promise<void> => {
        await owner.ok('POST', inRoom(roomId, 'invite'), { user_id: user.userId })
        await invited(user, roomId)
      }
      await invite()
      await mover.ok('POST', inRoom(roomId, 'leave'), { reason: 'not now' })
      await becomes(owner, roomId, mover, 'leave')
      await invite()
      await join(mover, roomId, host)
      await agree(roles, roomId, mover)
      // The only guest leaves, so that the next joins through the other server again.
      await mover.ok('POST', inRoom(roomId, 'leave'))
      await becomes(owner, roomId, mover, 'leave')
      await invite(stayer)
      await join(stayer, roomId, host)
      await tells(owner, stayer, roomId, 'welcome')
      await tells(stayer, owner, roomId, 'thank you')
      await agree(roles, roomId, stayer)
      await invite()
      // Synapse knows of an invite before it stands in the room, and in between makes a join with two memberships as auth events.
      await becomes(stayer, roomId, mover, 'invite')
      await join(mover, roomId, host)
      await becomes(owner, roomId, mover, 'join')
      await owner.ok('POST', inRoom(roomId, 'kick'), { user_id: mover.userId, reason: 'out' })
      await becomes(stayer, roomId, mover, 'leave')
      await owner.ok('POST', inRoom(roomId, 'ban'), { user_id: mover.userId })
      await becomes(stayer, roomId, mover, 'ban')
      const refused = await mover.call('POST', v3(`/join/${enc(roomId)}`), { body: {} })
      const errcode = guest.name === 'chancery' ? 'M_FORBIDDEN' : 'M_BAD_STATE'
      expect([refused.status, refused.body.errcode]).toEqual([403, errcode])
      await owner.ok('POST', inRoom(roomId, 'unban'), { user_id: mover.userId })
      await becomes(stayer, roomId, mover, 'leave')
      await agree(roles, roomId, stayer)
    })

    it('has events redacted and power levels changed from either side', async () => {
      const roles = rolesOf(pair(), hostName)
      const { host, guest } = roles
      const [owner, moderator] = [host.first, guest.first]
      const roomId = await hostedRoom(roles, version)
      await join(moderator, roomId, host)
      const said = await tells(owner, moderator, roomId, 'to be taken back')
      await owner.ok('PUT', inRoom(roomId, `redact/${enc(said)}/own-${said.slice(1, 8)}`), { reason: 'typo' })
      const theirs = await tells(owner, moderator, roomId, 'against the rules')
      const redact = `redact/${enc(theirs)}/mod-${theirs.slice(1, 8)}`
      const early = await moderator.call('PUT', inRoom(roomId, redact), { body: {} })
      expect(early.status).toBe(403)
      const levels = await owner.ok('GET', inRoom(roomId, 'state/m.room.power_levels'))
      await setState(owner, roomId, 'm.room.power_levels', {
        ...levels,
        users: { ...levels.users, [moderator.userId]: 50 },
        events: { ...levels.events, 'm.room.topic': 60 },
      })
      await tells(owner, moderator, roomId, 'you are moderator now')
      await moderator.ok('PUT', inRoom(roomId, `${redact}-again`), {})
      await setState(moderator, roomId, 'm.room.name', { name: 'Named by a guest' })
      const topic = await moderator.call('PUT', inRoom(roomId, 'state/m.room.topic/'), {
        body: { topic: 'x' },
      })
      expect(topic.status).toBe(403)
      await tells(moderator, owner, roomId, 'done')
      await agree(roles, roomId, moderator)
      const gone = await owner.ok('GET', inRoom(roomId, `event/${enc(theirs)}`))
      expect(gone.content).toEqual({})
    })

    knows(7)('is knocked at, and lets in whom it invites then', async () => {
      const roles = rolesOf(pair(), hostName)
      const { host, guest } = roles
      const [owner, knocker] = [host.first, guest.first]
      const roomId = await hostedRoom(roles, version, { preset: 'private_chat', name: 'Knock' })
      const refused = await knocker.call('POST', v3(`/knock/${enc(roomId)}`), {
        body: {},
        query: { server_name: host.serverName, via: host.serverName },
      })
      expect(refused.status).toBe(403)
      await setState(owner, roomId, 'm.room.join_rules', { join_rule: 'knock' })
      const knock = (): Promise<unknown> =>
        knocker.ok(
          'POST',
          v3(`/knock/${enc(roomId)}`),
          { reason: 'please' },
          { server_name: host.serverName, via: host.serverName },
        )
      await knock()
      await becomes(owner, roomId, knocker, 'knock')
      const sync = await knocker.ok('GET', v3('/sync'))
      const shown = sync.rooms.knock[roomId].knock_state.events as { type: string; content: object }[]
      expect(shown).toContainEqual(
        expect.objectContaining({ type: 'm.room.name', content: { name: 'Knock' } }),
      )
      // Synapse takes a knock back for itself alone: it does not know whom to tell ("we don't yet support rescinding knocks").
      if (guest.name === 'chancery') {
        await knocker.ok('POST', inRoom(roomId, 'leave'))
        await becomes(owner, roomId, knocker, 'leave')
        await knock()
        await becomes(owner, roomId, knocker, 'knock')
      }
      await owner.ok('POST', inRoom(roomId, 'invite'), { user_id: knocker.userId })
      await invited(knocker, roomId)
      await join(knocker, roomId, host)
      await tells(knocker, owner, roomId, 'in')
      await agree(roles, roomId, knocker)
    })

    knows(8)('restricted to members of another room, lets in those alone', async () => {
      const roles = rolesOf(pair(), hostName)
      const { host, guest } = roles
      const [owner, member] = [host.first, guest.first]
      const outer = await hostedRoom(roles, version)
      const rule = { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: outer }] }
      const initial = [{ type: 'm.room.join_rules', state_key: '', content: rule }]
      const roomId = await hostedRoom(roles, version, { preset: 'private_chat', initial_state: initial })
      const early = await member.call('POST', v3(`/join/${enc(roomId)}`), {
        body: {},
        query: { server_name: host.serverName, via: host.serverName },
      })
      expect(early.status).toBe(403)
      await join(member, outer, host)
      await tells(member, owner, outer, 'a member of the outer room')
      await join(member, roomId, host)
      await becomes(owner, roomId, member, 'join')
      await sendText(member, roomId, 'let in')
      // Now that the guest's server is in the room itself, it still needs somebody who may invite to sign.
      await join(guest.second, outer, host)
      await join(guest.second, roomId, host)
      await tells(guest.second, owner, roomId, 'let in too')
      await agree(roles, roomId, member)
    })
  })
}
