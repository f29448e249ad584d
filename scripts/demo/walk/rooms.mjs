import { enc, eventually } from '../client.mjs'

/** The forum, which all ministries see, and a restricted room, into which nobody from outside comes. */
export async function roomsStep({ alice, benoit, camille, gaelle, at, number, saw }) {
  const forum = `#forum:${at('finances').serverName}`
  const { room_id: forumId } = await camille.ok('GET', `/directory/room/${enc(forum)}`)
  const listed = await eventually(async () => {
    const { chunk } = await camille.ok('POST', '/publicRooms', { limit: 100 })
    if (!chunk.some(({ room_id: id }) => id === forumId)) throw new Error('the forum is not listed')
    return chunk.find(({ room_id: id }) => id === forumId)
  })
  saw(
    'the list of public rooms at Intérieur has the forum of Finances, and says whose it is',
    listed['org.chancery.server'] === at('finances').serverName,
    listed,
  )
  const shown = (await gaelle.ok('POST', '/publicRooms', {})).chunk
  saw('a guest is shown no rooms', shown.length === 0, shown)

  const { room_id: room } = await alice.ok('POST', '/createRoom', {
    name: `Restricted ${number}`,
    invite: [camille.userId],
  })
  const { rule } = await alice.ok('GET', `/rooms/${enc(room)}/state/im.vector.room.access_rules`)
  saw('a room is restricted unless it says otherwise', rule === 'restricted', rule)
  await eventually(() => camille.ok('POST', `/rooms/${enc(room)}/join`))
  saw('Camille of Intérieur comes in', true)
  const refused = await alice.call('POST', `/rooms/${enc(room)}/invite`, { user_id: gaelle.userId })
  saw(
    'a guest cannot be invited, and Alice is told why',
    refused.status === 403 && refused.body.reason === 'access.external',
    refused,
  )
  const { room_id: direct } = await benoit.ok('POST', '/createRoom', {
    is_direct: true,
    preset: 'trusted_private_chat',
    invite: [camille.userId],
  })
  const third = await benoit.call('POST', `/rooms/${enc(direct)}/invite`, { user_id: alice.userId })
  saw(
    'a direct room takes no third person',
    third.status === 403 && third.body.reason.startsWith('access.direct'),
    third,
  )
  const made = await gaelle.call('POST', '/createRoom', {})
  saw('a guest makes no rooms', made.status === 403 && made.body.reason === 'access.create.external', made)
}
