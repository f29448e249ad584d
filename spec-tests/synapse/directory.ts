import { randomBytes } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { eventually, v3 } from '../harness/client.js'
import type { Pair } from './pair.js'
import { agree, hostedRoom, inRoom, join, rolesOf, setState, SIDES, tells } from './room.js'

const enc = encodeURIComponent
const v1 = (path: string): string => `/_matrix/client/v1${path}`
const WAIT_MS = 20_000
const PICTURE = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)
let names = 0

export function directoryScenarios(pair: () => Pair): void {
  describe.each(SIDES)('of %s, the other server', (hostName) => {
    it('finds rooms by alias and in the list of public rooms, page by page and by words', async () => {
      const roles = rolesOf(pair(), hostName)
      const { host, guest } = roles
      const word = `forum${hostName}${names++}`
      const roomId = await hostedRoom(roles, '11', {
        room_alias_name: word,
        name: `The ${word}`,
        topic: 'For all',
        visibility: 'public',
      })
      await hostedRoom(roles, '11', { name: `Another ${word}`, visibility: 'public' })
      const alias = `#${word}:${host.serverName}`
      const found = await guest.first.ok('GET', v3(`/directory/room/${enc(alias)}`))
      expect(found).toMatchObject({ room_id: roomId, servers: expect.arrayContaining([host.serverName]) })
      const missing = await guest.first.call(
        'GET',
        v3(`/directory/room/${enc(`#no-${word}:${host.serverName}`)}`),
      )
      expect([missing.status, missing.body.errcode]).toEqual([404, 'M_NOT_FOUND'])
      const list = await eventually(
        'both rooms in the list',
        async () => {
          const answer = await guest.first.ok(
            'POST',
            v3('/publicRooms'),
            { filter: { generic_search_term: word } },
            { server: host.serverName },
          )
          return answer.chunk.length === 2 ? answer : undefined
        },
        WAIT_MS,
      )
      expect(list.chunk).toContainEqual(
        expect.objectContaining({ room_id: roomId, name: `The ${word}`, topic: 'For all', canonical_alias: alias, num_joined_members: 1 }),
      ) // prettier-ignore
      const page = await guest.first.ok('GET', v3('/publicRooms'), undefined, {
        server: host.serverName,
        limit: 1,
      })
      expect(page.chunk).toHaveLength(1)
      const next = await guest.first.ok('GET', v3('/publicRooms'), undefined, { server: host.serverName, limit: 1, since: page.next_batch }) // prettier-ignore
      expect(next.chunk[0].room_id).not.toBe(page.chunk[0].room_id)
      expect((await guest.second.ok('POST', v3(`/join/${enc(alias)}`))).room_id).toBe(roomId)
      await agree(roles, roomId, guest.second)
    })

    it('shows spaces, and summaries of rooms to those who may see them', async () => {
      const roles = rolesOf(pair(), hostName)
      const { host, guest } = roles
      const space = await hostedRoom(roles, '11', { name: 'Space', creation_content: { type: 'm.space' } })
      const open = await hostedRoom(roles, '12', { name: 'Open' })
      const closed = await hostedRoom(roles, '11', { name: 'Closed', preset: 'private_chat' })
      for (const child of [open, closed])
        await setState(host.first, space, 'm.space.child', { via: [host.serverName] }, child)
      const near = await hostedRoom({ host: guest, guest: host }, '11', {
        creation_content: { type: 'm.space' },
      })
      await setState(guest.first, near, 'm.space.child', { via: [host.serverName] }, space)
      const answer = await guest.first.ok('GET', v1(`/rooms/${enc(near)}/hierarchy`))
      const rooms = answer.rooms as { room_id: string }[]
      expect(rooms.map((room) => room.room_id)).toEqual([near, space, open])
      expect(rooms[1]).toMatchObject({
        name: 'Space',
        room_type: 'm.space',
        num_joined_members: 1,
        join_rule: 'public',
      })
      const summary = (roomId: string) =>
        guest.first.call('GET', v1(`/room_summary/${enc(roomId)}`), { query: { via: host.serverName } })
      expect((await summary(open)).body).toMatchObject({ room_id: open, name: 'Open', room_version: '12' })
      expect((await summary(closed)).status).toBe(404)
    })

    it('shows profiles, and tells of new names in rooms', async () => {
      const roles = rolesOf(pair(), hostName)
      const { host, guest } = roles
      const person = await host.user('named')
      await person.ok('PUT', v3(`/profile/${enc(person.userId)}/displayname`), { displayname: 'Named' })
      await person.ok('PUT', v3(`/profile/${enc(person.userId)}/avatar_url`), {
        avatar_url: 'mxc://example.org/face',
      })
      const asked = (rest: string) => guest.first.call('GET', v3(`/profile/${enc(rest)}`))
      expect((await asked(person.userId)).body).toMatchObject({
        displayname: 'Named',
        avatar_url: 'mxc://example.org/face',
      })
      expect((await asked(`@nobody-${names++}:${host.serverName}`)).status).toBe(404)
      const roomId = await hostedRoom(roles, '11')
      await join(person, roomId, host)
      await join(guest.first, roomId, host)
      await person.ok('PUT', v3(`/profile/${enc(person.userId)}/displayname`), { displayname: 'Renamed' })
      await eventually(
        'the new name',
        async () => {
          const member = await guest.first.ok(
            'GET',
            inRoom(roomId, `state/m.room.member/${enc(person.userId)}`),
          )
          return member.displayname === 'Renamed'
        },
        WAIT_MS,
      )
      await agree(roles, roomId, guest.first)
    })

    it('gives media and thumbnails', async () => {
      const { host, guest } = rolesOf(pair(), hostName)
      const upload = async (body: Uint8Array, type: string, filename: string): Promise<string> => {
        const answer = await host.first.call('POST', '/_matrix/media/v3/upload', {
          body,
          query: { filename },
          headers: { 'content-type': type },
        })
        expect(answer.status).toBe(200)
        return (answer.body.content_uri as string).slice('mxc://'.length)
      }
      const get = (path: string): Promise<Response> =>
        fetch(`${guest.url}${v1(path)}`, { headers: { authorization: `Bearer ${guest.first.token}` } })
      // More than fits into what connections hold.
      const large = randomBytes(8_000_000)
      const file = await get(
        `/media/download/${await upload(large, 'application/octet-stream', 'Akte Nr. 1.bin')}`,
      )
      expect(file.status).toBe(200)
      expect(Buffer.from(await file.arrayBuffer()).equals(large)).toBe(true)
      expect(file.headers.get('content-disposition')).toContain('attachment')
      const picture = await upload(PICTURE, 'image/png', 'x.png')
      const same = await get(`/media/download/${picture}`)
      expect([same.headers.get('content-type'), Buffer.from(await same.arrayBuffer()).equals(PICTURE)]).toEqual(['image/png', true]) // prettier-ignore
      const small = await get(`/media/thumbnail/${picture}?width=32&height=32&method=scale`)
      expect(small.status).toBe(200)
      expect(small.headers.get('content-type')).toMatch(/^image\//)
      const missing = await get(`/media/download/${host.serverName}/nothing-${names++}`)
      expect(missing.status).toBe(404)
    })

    it('follows the upgrade of a room', async () => {
      const roles = rolesOf(pair(), hostName)
      const { host, guest } = roles
      const old = await hostedRoom(roles, '10', { name: 'To be upgraded', topic: 'Both' })
      await join(guest.first, old, host)
      await tells(guest.first, host.first, old, 'in the old room')
      const { replacement_room: roomId } = await host.first.ok('POST', inRoom(old, 'upgrade'), {
        new_version: '12',
      })
      await eventually(
        'the tombstone',
        async () =>
          (await guest.first.call('GET', inRoom(old, 'state/m.room.tombstone/'))).body.replacement_room ===
          roomId,
        WAIT_MS,
      )
      await join(guest.first, roomId, host)
      await tells(guest.first, host.first, roomId, 'in the new room')
      await agree(roles, old, guest.first)
      await agree(roles, roomId, guest.first)
      const create = await guest.first.ok('GET', inRoom(roomId, 'state/m.room.create/'))
      expect(create).toMatchObject({ room_version: '12', predecessor: { room_id: old } })
    })

    it('is kept out by the room’s list of servers, and heard again when it is taken off', async () => {
      const roles = rolesOf(pair(), hostName)
      const { host, guest } = roles
      const roomId = await hostedRoom(roles, '11')
      await join(guest.first, roomId, host)
      await tells(guest.first, host.first, roomId, 'heard')
      const acl = (deny: readonly string[]): Promise<unknown> =>
        setState(host.first, roomId, 'm.room.server_acl', { allow: ['*'], deny, allow_ip_literals: true })
      await acl([guest.serverName.split(':')[0]!.toUpperCase()])
      const open = await hostedRoom(roles, '11')
      await join(guest.first, open, host)
      await eventually(
        'the list',
        async () =>
          (await guest.first.ok('GET', inRoom(roomId, 'state/m.room.server_acl/'))).deny.length === 1,
        WAIT_MS,
      )
      const kept = await guest.first.ok('PUT', inRoom(roomId, `send/m.room.message/kept-${names++}`), {
        msgtype: 'm.text',
        body: 'not heard',
      })
      // What is sent after it to another room has arrived: so has this, and was refused.
      await tells(guest.first, host.first, open, 'heard in another room')
      const unseen = await host.first.call('GET', inRoom(roomId, `event/${enc(kept.event_id)}`))
      expect(unseen.status).toBe(404)
      await acl([])
      await eventually(
        'the empty list',
        async () =>
          (await guest.first.ok('GET', inRoom(roomId, 'state/m.room.server_acl/'))).deny.length === 0,
        WAIT_MS,
      )
      await tells(guest.first, host.first, roomId, 'heard again')
      await agree(roles, roomId, guest.first, false)
    })
  })
}
