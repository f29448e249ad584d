import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { call, createRoom, enc, register, v3, type User } from '../harness/client.js'
import { startNode, type Node } from '../harness/node.js'
import { refusal } from '../harness/section.js'
import { administrator, ADMIN_CONFIG } from './administrator.js'

const admin = (path: string): string => `/_synapse/admin/v1${path}`
let node: Node
let root: User
let alice: User
let counter = 0
beforeAll(async () => {
  node = await startNode({ config: ADMIN_CONFIG })
  root = await administrator(node.url)
  alice = await register(node.url, 'alice')
})
afterAll(() => node.dispose())

/** Gives the media id. Bytes that nobody else has, unless told which. */
async function upload(user: User, bytes = `bytes ${counter++}`): Promise<string> {
  const answer = await user.call('POST', '/_matrix/media/v3/upload', {
    body: bytes,
    query: { filename: 'a.txt' },
    headers: { 'content-type': 'text/plain' },
  })
  expect(answer.status).toBe(200)
  return (answer.body.content_uri as string).split('/').at(-1)!
}
const download = (user: User, mediaId: string) =>
  user.call('GET', `/_matrix/client/v1/media/download/${node.serverName}/${mediaId}`)
const post = (path: string) => root.call('POST', admin(path), { body: {} })

describe('a medium', () => {
  it('is shown, and given to nobody while it is in quarantine, nor are others with its bytes', async () => {
    const bytes = `bytes ${counter++}`
    const one = await upload(alice, bytes)
    const same = await upload(alice, bytes)
    const other = await upload(alice)
    const path = `/${node.serverName}/${one}`
    expect((await post(`/media/quarantine${path}`)).status).toBe(200)
    for (const mediaId of [one, same]) await refusal(download(alice, mediaId), 404, 'M_NOT_FOUND')
    expect((await download(alice, other)).status).toBe(200)
    const { media_info: info } = await root.ok('GET', admin(`/media${path}`))
    expect(info).toMatchObject({
      media_id: one,
      media_origin: node.serverName,
      media_type: 'text/plain',
      upload_name: 'a.txt',
      user_id: alice.userId,
      quarantined_by: root.userId,
      safe_from_quarantine: false,
    })
    expect((await post(`/media/unquarantine${path}`)).status).toBe(200)
    for (const mediaId of [one, same]) expect((await download(alice, mediaId)).status).toBe(200)
  })

  it('that is protected stays out of the quarantine of all media of its user', async () => {
    const bob = await register(node.url, 'bob')
    const [kept, gone] = [await upload(bob), await upload(bob)]
    expect((await post(`/media/protect/${kept}`)).status).toBe(200)
    const path = `/user/${enc(bob.userId)}/media/quarantine`
    expect((await post(path)).body).toEqual({ num_quarantined: 1 })
    expect((await download(bob, kept)).status).toBe(200)
    await refusal(download(bob, gone), 404, 'M_NOT_FOUND')
    expect((await post(`/media/unprotect/${kept}`)).status).toBe(200)
    expect((await post(path)).body).toEqual({ num_quarantined: 1 })
    await refusal(download(bob, kept), 404, 'M_NOT_FOUND')
    await refusal(post('/media/protect/nothing'), 404, 'M_NOT_FOUND')
  })

  it('is deleted with its bytes', async () => {
    const mediaId = await upload(alice)
    const path = admin(`/media/${node.serverName}/${mediaId}`)
    expect(await root.ok('DELETE', path)).toEqual({ deleted_media: [mediaId], total: 1 })
    await refusal(download(alice, mediaId), 404, 'M_NOT_FOUND')
    await refusal(root.call('DELETE', path), 404, 'M_NOT_FOUND')
    await refusal(root.call('GET', path), 404, 'M_NOT_FOUND')
    await refusal(root.call('DELETE', admin('/media/elsewhere.example/abc')), 404, 'M_NOT_FOUND')
    await refusal(post('/media/quarantine/not a server/x'.replaceAll(' ', '%20')), 400, 'M_INVALID_PARAM')
  })
})

describe('media of a room', () => {
  it('are those that its events name, and go into quarantine', async () => {
    const roomId = await createRoom(alice)
    const [picture, small] = [await upload(alice), await upload(alice)]
    const uri = (mediaId: string) => `mxc://${node.serverName}/${mediaId}`
    const remote = 'mxc://elsewhere.example/abc'
    const send = (txn: string, content: object) =>
      alice.ok('PUT', v3(`/rooms/${enc(roomId)}/send/m.room.message/${txn}`), content)
    await send('1', {
      msgtype: 'm.image',
      body: 'x',
      url: uri(picture),
      info: { thumbnail_url: uri(small) },
    })
    await send('2', { msgtype: 'm.image', body: 'x', url: remote })
    await send('3', { msgtype: 'm.image', body: 'x', url: 'https://elsewhere.example/' })
    const found = await root.ok('GET', admin(`/room/${enc(roomId)}/media`))
    expect({ ...found, local: new Set(found.local) }).toEqual({
      local: new Set([uri(picture), uri(small)]),
      remote: [remote],
    })
    expect((await post(`/room/${enc(roomId)}/media/quarantine`)).body).toEqual({ num_quarantined: 3 })
    for (const mediaId of [picture, small]) await refusal(download(alice, mediaId), 404, 'M_NOT_FOUND')
    // It is not fetched from there either.
    await refusal(
      alice.call('GET', '/_matrix/client/v1/media/download/elsewhere.example/abc'),
      404,
      'M_NOT_FOUND',
    )
    expect((await post(`/quarantine_media/${enc(roomId)}`)).body).toEqual({ num_quarantined: 0 })
    await refusal(root.call('GET', admin(`/room/${enc(`!no:${node.serverName}`)}/media`)), 404, 'M_NOT_FOUND')
  })
})

describe('media of a user', () => {
  it('are listed page by page, summed up and deleted', async () => {
    const dora = await register(node.url, 'dora')
    const path = admin(`/users/${enc(dora.userId)}/media`)
    const ids = [await upload(dora, 'a'), await upload(dora, 'bb'), await upload(dora, 'ccc')]
    const list = (query: Record<string, string | number>) => root.ok('GET', path, undefined, query)
    const named = (body: { media: { media_id: string }[] }) => body.media.map((one) => one.media_id)
    const first = await list({ order_by: 'media_length', limit: 2 })
    expect(named(first)).toEqual(ids.slice(0, 2))
    expect(first).toMatchObject({ total: 3, next_token: 2 })
    expect(named(await list({ order_by: 'media_length', from: 2 }))).toEqual(ids.slice(2))
    expect(named(await list({ order_by: 'media_length', dir: 'b' }))).toEqual(ids.toReversed())
    const sums = await root.ok('GET', admin('/statistics/users/media'), undefined, {
      search_term: dora.userId,
      order_by: 'media_length',
      dir: 'b',
    })
    expect(sums).toEqual({
      users: [
        {
          user_id: dora.userId,
          displayname: dora.userId.slice(1, dora.userId.indexOf(':')),
          media_count: 3,
          media_length: 6,
        },
      ],
      total: 1,
    })
    const deleted = await root.call('DELETE', path, { query: { order_by: 'media_length', limit: 2 } })
    expect(deleted.body).toEqual({ deleted_media: ids.slice(0, 2), total: 2 })
    expect(named(await list({}))).toEqual(ids.slice(2))
    await refusal(root.call('GET', `${path}?order_by=taste`), 400, 'M_INVALID_PARAM')
    await refusal(
      root.call('GET', admin(`/users/${enc(`@no:${node.serverName}`)}/media`)),
      404,
      'M_NOT_FOUND',
    )
  })
})

it('copies of other servers’ media go by the time of their last use', async () => {
  const path = admin('/purge_media_cache')
  expect((await root.call('POST', `${path}?before_ts=${Date.now()}`, { body: {} })).body).toEqual({
    deleted: 0,
  })
  await refusal(root.call('POST', path, { body: {} }), 400, 'M_MISSING_PARAM')
})

describe('reports of events', () => {
  it('are listed with their room, shown with their event, and deleted', async () => {
    const roomId = await createRoom(alice, { name: 'Reported', preset: 'public_chat' })
    const bob = await register(node.url, 'bob')
    await bob.ok('POST', v3(`/rooms/${enc(roomId)}/join`))
    const events: string[] = []
    for (const body of ['one', 'two']) {
      const { event_id: eventId } = await alice.ok(
        'PUT',
        v3(`/rooms/${enc(roomId)}/send/m.room.message/${body}`),
        { msgtype: 'm.text', body },
      )
      events.push(eventId)
      await bob.ok('POST', v3(`/rooms/${enc(roomId)}/report/${enc(eventId)}`), { reason: `not ${body}` })
    }
    await bob.ok('POST', v3(`/rooms/${enc(roomId)}/report`), { reason: 'the room' })
    const list = (query: Record<string, string | number>) =>
      root.ok('GET', admin('/event_reports'), undefined, query)
    const all = await list({ user_id: bob.userId })
    expect(all).toMatchObject({
      total: 2,
      event_reports: [
        { event_id: events[1], reason: 'not two', room_id: roomId, name: 'Reported', canonical_alias: null },
        { event_id: events[0], user_id: bob.userId, sender: alice.userId },
      ],
    })
    expect(await list({ room_id: roomId, limit: 1 })).toMatchObject({ total: 2, next_token: 1 })
    expect((await list({ room_id: roomId, dir: 'f' })).event_reports[0].event_id).toBe(events[0])
    expect((await list({ event_sender_user_id: bob.userId })).total).toBe(0)
    const path = admin(`/event_reports/${all.event_reports[0].id}`)
    expect(await root.ok('GET', path)).toMatchObject({ event_json: { content: { body: 'two' } } })
    await root.ok('DELETE', path)
    await refusal(root.call('GET', path), 404, 'M_NOT_FOUND')
    await refusal(root.call('DELETE', path), 404, 'M_NOT_FOUND')
    await refusal(root.call('GET', admin('/event_reports/none')), 404, 'M_NOT_FOUND')
    expect((await list({ room_id: roomId })).total).toBe(1)
  })
})

describe('reports of users', () => {
  it('are listed by who reports and whom, shown, and deleted, and are no reports of events', async () => {
    const carol = await register(node.url, 'carol')
    const dora = await register(node.url, 'dora')
    for (const who of [carol, dora])
      await carol.ok('POST', v3(`/users/${enc(who.userId)}/report`), { reason: `about ${who.userId}` })
    const list = (query: Record<string, string | number>) =>
      root.ok('GET', admin('/user_reports'), undefined, query)
    const all = await list({ user_id: carol.userId })
    expect(all).toMatchObject({
      total: 2,
      user_reports: [
        { user_id: carol.userId, target_user_id: dora.userId, reason: `about ${dora.userId}` },
        { user_id: carol.userId, target_user_id: carol.userId },
      ],
    })
    expect(await list({ user_id: carol.userId, limit: 1 })).toMatchObject({ total: 2, next_token: 1 })
    expect(await list({ target_user_id: dora.userId })).toMatchObject({ total: 1 })
    const { id } = all.user_reports[0]
    await refusal(root.call('GET', admin(`/event_reports/${id}`)), 404, 'M_NOT_FOUND')
    await refusal(root.call('DELETE', admin(`/event_reports/${id}`)), 404, 'M_NOT_FOUND')
    expect(await root.ok('GET', admin(`/user_reports/${id}`))).toEqual(all.user_reports[0])
    await root.ok('DELETE', admin(`/user_reports/${id}`))
    await refusal(root.call('GET', admin(`/user_reports/${id}`)), 404, 'M_NOT_FOUND')
    expect(await list({ user_id: carol.userId })).toMatchObject({ total: 1 })
  })
})

it('all of it is for administrators alone', async () => {
  for (const path of [
    '/event_reports',
    '/user_reports',
    '/federation/destinations',
    '/statistics/users/media',
  ])
    await refusal(alice.call('GET', admin(path)), 403, 'M_FORBIDDEN')
  expect((await call(node.url, 'GET', admin('/event_reports'))).status).toBe(401)
})

describe('files of this server', () => {
  const remove = (query: Record<string, string | number | boolean>, path = '/media/delete') =>
    root.call('POST', admin(path), { body: {}, query })
  const FUTURE = Date.now() + 86_400_000

  it('are deleted by age and size, but for pictures of people and rooms', async () => {
    const carol = await register(node.url, 'carol')
    const [small, large] = [await upload(carol), await upload(carol, 'x'.repeat(5_000))]
    const [face, badge] = [
      await upload(carol, `${counter++}`.repeat(4_000)),
      await upload(carol, `${counter++}`.repeat(4_000)),
    ]
    const uri = (mediaId: string) => `mxc://${node.serverName}/${mediaId}`
    await carol.ok('PUT', v3(`/profile/${enc(carol.userId)}/avatar_url`), { avatar_url: uri(face) })
    const roomId = await createRoom(carol)
    await carol.ok('PUT', v3(`/rooms/${enc(roomId)}/state/m.room.avatar/`), { url: uri(badge) })
    expect((await remove({ before_ts: 1 })).body).toEqual({ deleted_media: [], total: 0 })
    const answer = await remove({ before_ts: FUTURE, size_gt: 4_500 })
    expect(answer.body.deleted_media).toContain(large)
    expect(answer.body.total).toBe(answer.body.deleted_media.length)
    for (const kept of [small, face, badge]) expect((await download(carol, kept)).status).toBe(200)
    await refusal(download(carol, large), 404, 'M_NOT_FOUND')
    const second = await remove({ before_ts: FUTURE, size_gt: 2_000 })
    expect(second.body.deleted_media).not.toContain(face)
    const third = await remove(
      { before_ts: FUTURE, size_gt: 2_000, keep_profiles: false },
      `/media/${node.serverName}/delete`,
    )
    expect(third.body.deleted_media).toEqual(expect.arrayContaining([face, badge]))
    expect((await download(carol, small)).status).toBe(200)
  })

  it('are deleted by a right request alone', async () => {
    await refusal(remove({}), 400, 'M_MISSING_PARAM')
    await refusal(remove({ before_ts: -1 }), 400, 'M_INVALID_PARAM')
    await refusal(remove({ before_ts: 1, size_gt: 'x' }), 400, 'M_INVALID_PARAM')
    await refusal(remove({ before_ts: 1 }, '/media/elsewhere.example/delete'), 400, 'M_INVALID_PARAM')
    await refusal(
      alice.call('POST', admin('/media/delete'), { body: {}, query: { before_ts: 1 } }),
      403,
      'M_FORBIDDEN',
    )
  })
})
