import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { startCircle, type Circle } from '../harness/circle.js'
import { createRoom, enc, eventually, register, v3, type User } from '../harness/client.js'

const PEOPLE = '/_matrix/federation/unstable/org.chancery/user_directory/search'

let circle: Circle<'finances' | 'justice' | 'guests'>
let alice: User
let bob: User
let hidden: User
let guest: User
let forum: string

const rename = (user: User, displayname: string) =>
  user.ok('PUT', v3(`/profile/${enc(user.userId)}/displayname`), { displayname })
const find = async (user: User, term: string): Promise<object[]> => {
  const { results } = await user.ok('POST', v3('/user_directory/search'), { search_term: term })
  return results as object[]
}
const publicRooms = async (user: User): Promise<Record<string, unknown>[]> =>
  (await user.ok('POST', v3('/publicRooms'), {}))['chunk'] as Record<string, unknown>[]

beforeAll(async () => {
  circle = await startCircle(
    { finances: { label: 'Finances' }, justice: { label: 'Justice' }, guests: { role: 'external' } },
    {
      // Nothing is left out because the machine is busy.
      directory: { red_list: true, people: 'circle', rooms: 'circle', wait: '60s' },
      access_rules: { enforced: true },
    },
  )
  alice = await register(circle.nodes.finances.url, 'alice')
  bob = await register(circle.nodes.justice.url, 'bob')
  hidden = await register(circle.nodes.justice.url, 'hidden')
  guest = await register(circle.nodes.guests.url, 'guest')
  await rename(alice, 'Alice Moreau')
  await rename(bob, 'Robert Moreau')
  await rename(hidden, 'Hilde Moreau')
  await rename(guest, 'Gustave Moreau')
  await hidden.ok('PUT', v3(`/user/${enc(hidden.userId)}/account_data/im.vector.hide_profile`), {
    hide_profile: true,
  })
  forum = await createRoom(bob, { preset: 'public_chat', visibility: 'public', name: 'The forum' })
})
afterAll(() => circle?.close())

describe('nodes of one list', () => {
  it('find each other’s people without a room in common, but those who hide and those of external nodes', async () => {
    const robert = { user_id: bob.userId, display_name: 'Robert Moreau [Justice]' }
    expect(await find(alice, 'moreau')).toEqual([robert])
    expect(await find(alice, 'robe')).toEqual([robert])
    expect(await find(bob, 'moreau')).toEqual([
      { user_id: alice.userId, display_name: 'Alice Moreau [Finances]' },
    ])
    expect(await find(guest, 'moreau')).toEqual([])
  })

  it('tell of who hides to those alone with whom a room is shared', async () => {
    const profile = v3(`/profile/${enc(hidden.userId)}`)
    for (const user of [alice, bob, guest])
      expect((await user.call('GET', profile)).body).toMatchObject({ errcode: 'M_NOT_FOUND' })
    const room = await createRoom(hidden, { invite: [alice.userId] })
    await alice.ok('POST', v3(`/join/${enc(room)}`), {}, { via: circle.nodes.justice.serverName })
    await eventually('alice is told', async () => {
      const { body } = await alice.call('GET', profile)
      return body['displayname'] === 'Hilde Moreau' ? true : undefined
    })
    const other = await register(circle.nodes.finances.url, 'other')
    expect((await other.call('GET', profile)).status).toBe(404)
    // Her node answers for itself: whom a room shows, the directory does not.
    expect(await find(alice, 'hilde')).toEqual([])
  })

  it('show each other’s public rooms, into which one comes by their id alone; external nodes are shown none', async () => {
    await eventually('alice sees the forum', async () =>
      (await publicRooms(alice)).some((room) => room['room_id'] === forum) ? true : undefined,
    )
    expect(await publicRooms(alice)).toMatchObject([
      { room_id: forum, name: 'The forum', 'org.chancery.server': circle.nodes.justice.serverName },
    ])
    await alice.ok('POST', v3(`/join/${enc(forum)}`), {})
    expect(await publicRooms(guest)).toEqual([])
    const asked = await guest.call('POST', v3('/publicRooms'), {
      query: { server: circle.nodes.justice.serverName },
      body: {},
    })
    expect(asked).toMatchObject({ status: 200, body: { chunk: [], total_room_count_estimate: 0 } })
    // Who has not logged in sees the rooms of the node alone.
    const own = await fetch(`${circle.nodes.finances.url}${v3('/publicRooms')}`)
    expect(await own.json()).toMatchObject({ chunk: [] })
  })

  it('answer no search that a member has not signed', async () => {
    const { url } = circle.nodes.justice
    const answer = await fetch(`${url}${PEOPLE}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ search_term: 'moreau' }),
    })
    expect(answer.status).toBe(401)
  })

  it('go on without one that is down', async () => {
    await circle.nodes.justice.stop()
    expect(await find(alice, 'alice m')).toEqual([])
    expect(await find(alice, 'gustave')).toEqual([])
    const other = await register(circle.nodes.finances.url, 'another')
    expect(await find(other, 'alice')).toEqual([{ user_id: alice.userId, display_name: 'Alice Moreau' }])
    expect((await publicRooms(alice)).map((room) => room['room_id'])).toEqual([forum])
    await circle.nodes.justice.start()
  })
})
