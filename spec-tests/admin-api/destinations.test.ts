import { afterAll, beforeAll, expect, it } from '@jest/globals'
import { enc } from '../harness/client.js'
import { homeserver, type Homeserver } from '../harness/homeserver.js'
import { testAuthority } from '../harness/node.js'
import { withPeer } from '../harness/peer.js'
import { refusal, sharedRoom } from '../harness/section.js'

const PATH = '/_synapse/admin/v1/federation/destinations'
const authority = testAuthority()
let server: Homeserver
beforeAll(async () => {
  server = await homeserver({ authority })
})
afterAll(() => server.dispose())

it('a server that shares a room is listed, with its rooms', async () => {
  await withPeer(authority, async (_server, peer) => {
    const root = await server.administrator()
    const roomId = await sharedRoom(await server.user('alice'))
    await peer.join(roomId, peer.user())
    const { name } = peer.server
    const listed = await root.ok('GET', PATH, undefined, { destination: name })
    expect(listed).toMatchObject({ total: 1, destinations: [{ destination: name }] })
    expect(await root.ok('GET', `${PATH}/${enc(name)}`)).toMatchObject({
      destination: name,
      last_successful_stream_ordering: null,
    })
    expect(await root.ok('GET', `${PATH}/${enc(name)}/rooms`)).toEqual({
      rooms: [{ room_id: roomId, stream_ordering: null }],
      total: 1,
    })
    for (const query of ['order_by=failure_ts', 'order_by=retry_last_ts&dir=b'])
      expect((await root.ok('GET', `${PATH}?${query}`)).total).toBe(1)
  })(server)
})

it('a server that nothing is sent to is not known', async () => {
  const root = await server.administrator()
  const path = `${PATH}/nowhere.example`
  for (const rest of ['', '/rooms']) await refusal(root.call('GET', path + rest), 404, 'M_NOT_FOUND')
  await refusal(root.call('POST', `${path}/reset_connection`, { body: {} }), 404, 'M_NOT_FOUND')
  await refusal(root.call('GET', `${PATH}/${enc('no server')}`), 400, 'M_INVALID_PARAM')
})
