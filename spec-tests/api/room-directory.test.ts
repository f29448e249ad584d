import { expect } from '@jest/globals'
import { type User } from '../harness/client.js'
import { createRoom, enc, inRoom, refusal, section, sharedRoom, v3 } from '../harness/section.js'

let counter = 0
const aliasName = (): string => `alias-${Date.now().toString(36)}-${counter++}`

section('Published room directory', 'client-server-api/#published-room-directory', (operation) => {
  const listing = (roomId: string): string => v3(`/directory/list/room/${enc(roomId)}`)
  operation(
    'getRoomVisibilityOnDirectory',
    'GET /_matrix/client/v3/directory/list/room/{roomId}',
    ({ success, error }) => {
      success('says whether a room is listed', async (server) => {
        const alice = await server.user('alice')
        const listed = await createRoom(alice, { visibility: 'public' })
        const hidden = await createRoom(alice)
        expect(await alice.ok('GET', listing(listed))).toEqual({ visibility: 'public' })
        expect(await alice.ok('GET', listing(hidden))).toEqual({ visibility: 'private' })
      })
      error('knows no unknown room', async (server) => {
        const alice = await server.user('alice')
        await refusal(alice.call('GET', listing(`!none:${server.serverName}`)), 404, 'M_NOT_FOUND')
      })
    },
    { auth: 'none' },
  )
  operation(
    'setRoomVisibilityOnDirectory',
    'PUT /_matrix/client/v3/directory/list/room/{roomId}',
    ({ success, error, authorisation }) => {
      success('lists a room, and no longer', async (server) => {
        const alice = await server.user('alice')
        const roomId = await createRoom(alice, { preset: 'public_chat', name: aliasName() })
        await alice.ok('PUT', listing(roomId), { visibility: 'public' })
        expect(await alice.ok('GET', listing(roomId))).toEqual({ visibility: 'public' })
        await alice.ok('PUT', listing(roomId), { visibility: 'private' })
        expect(await alice.ok('GET', listing(roomId))).toEqual({ visibility: 'private' })
      })
      error('refuses other values', async (server) => {
        const alice = await server.user('alice')
        const roomId = await createRoom(alice)
        await refusal(
          alice.call('PUT', listing(roomId), { body: { visibility: 'x' } }),
          400,
          'M_BAD_JSON',
          'M_INVALID_PARAM',
        )
      })
      authorisation('is for those who rule the room', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob])
        await refusal(
          bob.call('PUT', listing(roomId), { body: { visibility: 'public' } }),
          403,
          'M_FORBIDDEN',
        )
        expect(await alice.ok('GET', listing(roomId))).toEqual({ visibility: 'private' })
      })
    },
  )
  const published = async (owner: User, topic: string): Promise<string> =>
    createRoom(owner, {
      preset: 'public_chat',
      visibility: 'public',
      name: `Listed ${topic}`,
      topic: `About ${topic}`,
      room_alias_name: aliasName(),
    })
  interface Entry {
    readonly room_id: string
  }
  operation(
    'getPublicRooms',
    'GET /_matrix/client/v3/publicRooms',
    ({ success, error }) => {
      success('lists public rooms with their names and members, in pages', async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const made = [
          await published(alice, 'one'),
          await published(alice, 'two'),
          await published(alice, 'three'),
        ]
        await bob.ok('POST', inRoom(made[0]!, 'join'))
        const seen: Entry[] = []
        let since: string | undefined
        let before: unknown
        do {
          const page = await bob.ok('GET', v3('/publicRooms'), undefined, { limit: 2, since })
          expect(page.chunk.length).toBeLessThanOrEqual(2)
          seen.push(...page.chunk)
          expect(page.total_room_count_estimate).toBeGreaterThanOrEqual(made.length)
          expect(typeof page.prev_batch).toBe(since === undefined ? 'undefined' : 'string')
          // Others may make rooms on a server that is not ours alone.
          if (since !== undefined && server.own)
            expect((await bob.ok('GET', v3('/publicRooms'), undefined, { limit: 2, since: page.prev_batch })).chunk).toEqual(before) // prettier-ignore
          before = page.chunk
          since = page.next_batch
          expect(seen.length).toBeLessThan(500)
        } while (since !== undefined)
        for (const roomId of made) expect(seen.filter((room) => room.room_id === roomId)).toHaveLength(1)
        expect(seen.find((room) => room.room_id === made[0])).toMatchObject({
          name: 'Listed one',
          topic: 'About one',
          num_joined_members: 2,
          world_readable: false,
          guest_can_join: false,
          join_rule: 'public',
          canonical_alias: expect.stringMatching(/^#alias-/),
        })
      })
      error('refuses limits and tokens that are none', async (server) => {
        const alice = await server.user('alice')
        await refusal(
          alice.call('GET', v3('/publicRooms'), { query: { limit: 'x' } }),
          400,
          'M_INVALID_PARAM',
        )
      })
    },
    { auth: 'none' },
  )
  operation('queryPublicRooms', 'POST /_matrix/client/v3/publicRooms', ({ success, error }) => {
    success('finds rooms by words', async (server) => {
      const alice = await server.user('alice')
      const word = `w${Date.now().toString(36)}${counter++}`
      const roomId = await published(alice, word)
      await published(alice, 'something else')
      const found = await alice.ok('POST', v3('/publicRooms'), { filter: { generic_search_term: word } })
      expect(found.chunk).toMatchObject([
        {
          room_id: roomId,
          name: `Listed ${word}`,
          topic: `About ${word}`,
          join_rule: 'public',
          canonical_alias: expect.stringMatching(/^#alias-/),
          num_joined_members: 1,
          world_readable: false,
          guest_can_join: false,
        },
      ])
      expect(found.total_room_count_estimate).toBeGreaterThanOrEqual(1)
      const none = await alice.ok('POST', v3('/publicRooms'), {
        filter: { generic_search_term: `${word}none` },
      })
      expect(none.chunk).toEqual([])
      const few = await alice.ok('POST', v3('/publicRooms'), { limit: 1 })
      expect(few.chunk).toHaveLength(1)
      expect(few.next_batch).toEqual(expect.any(String))
    })
    error('refuses what is no filter', async (server) => {
      const alice = await server.user('alice')
      await refusal(
        alice.call('POST', v3('/publicRooms'), { body: { filter: 7 } }),
        400,
        'M_BAD_JSON',
        'M_INVALID_PARAM',
      )
    })
  })
})
