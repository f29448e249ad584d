/** People, rooms and some talk for the demo. Can be run again after an interruption: what is there is not made twice. */
import { enc, eventually, registerOrLogIn } from './client.mjs'

export const PEOPLE = [
  { ministry: 'finances', username: 'alice', displayname: 'Alice Martin' },
  { ministry: 'finances', username: 'benoit', displayname: 'Benoît Leroy' },
  { ministry: 'interieur', username: 'camille', displayname: 'Camille Dubois' },
  { ministry: 'interieur', username: 'david', displayname: 'David Moreau' },
  { ministry: 'sante', username: 'emilie', displayname: 'Émilie Lambert' },
  { ministry: 'sante', username: 'farid', displayname: 'Farid Bernard' },
]

const TALK = [
  ['alice', 'Welcome to the forum of the three ministries.'],
  ['camille', 'Thank you! Interieur is here.'],
  ['emilie', 'Sante too. Is the joint calendar ready?'],
  ['benoit', 'The draft is; I post it this afternoon.'],
  ['david', 'We need the dates for the exercise in March first.'],
  ['farid', 'March 12 to 14 suits us.'],
  ['camille', 'Agreed.'],
  ['alice', 'Then it is settled: March 12 to 14.'],
  ['emilie', 'Who books the rooms?'],
  ['benoit', 'We do. The large one on the second floor.'],
]

/** The room behind a local name of the creator's server; made where there is none. */
async function roomNamed(creator, localpart, options) {
  const alias = `#${localpart}:${creator.userId.slice(creator.userId.indexOf(':') + 1)}`
  const known = await creator.call('GET', `/directory/room/${enc(alias)}`)
  if (known.status === 200) return { alias, roomId: known.body.room_id, made: false }
  const { room_id: roomId } = await creator.ok('POST', '/createRoom', {
    room_alias_name: localpart,
    ...options,
  })
  return { alias, roomId, made: true }
}

async function makeForum(sessions) {
  const founder = sessions.get('alice')
  const { alias, roomId } = await roomNamed(founder, 'forum', {
    preset: 'public_chat',
    visibility: 'public',
    name: 'Forum',
    topic: 'Open to everybody in the three ministries. Not encrypted.',
  })
  for (const session of sessions.values()) {
    if (session !== founder) await eventually(() => session.ok('POST', `/join/${enc(alias)}`))
  }
  for (const [i, [username, body]] of TALK.entries()) {
    const path = `/rooms/${enc(roomId)}/send/m.room.message/demo-${i}`
    await eventually(() => sessions.get(username).ok('PUT', path, { msgtype: 'm.text', body }))
  }
  return { alias, roomId }
}

/** Nobody has a device yet that could decrypt, so nothing is said in it: that is for the people who try the demo. */
async function makeEncryptedRoom(sessions) {
  const founder = sessions.get('camille')
  const others = [...sessions.values()].filter((session) => session !== founder)
  const { alias, roomId } = await roomNamed(founder, 'working-group', {
    preset: 'private_chat',
    name: 'Working group',
    topic: 'One of each ministry and more. Encrypted from end to end.',
    initial_state: [
      { type: 'm.room.encryption', state_key: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } },
    ],
  })
  for (const session of others) {
    const members = await founder.ok('GET', `/rooms/${enc(roomId)}/members`)
    const own = members.chunk.find((event) => event.state_key === session.userId)?.content.membership
    if (own === 'join') continue
    if (own !== 'invite')
      await founder.ok('POST', `/rooms/${enc(roomId)}/invite`, { user_id: session.userId })
    await eventually(() => session.ok('POST', `/rooms/${enc(roomId)}/join`))
  }
  return { alias, roomId }
}

/** `passwords` by username, `ministries` by name. Every session ends: a device without keys would look suspicious in clients. */
export async function populate(ministries, passwords) {
  const sessions = new Map()
  for (const { ministry, username, displayname } of PEOPLE) {
    const session = await registerOrLogIn(ministries.get(ministry).url, username, passwords[username])
    await session.ok('PUT', `/profile/${enc(session.userId)}/displayname`, { displayname })
    sessions.set(username, session)
  }
  const forum = await makeForum(sessions)
  const group = await makeEncryptedRoom(sessions)
  for (const session of sessions.values()) await session.ok('POST', '/logout')
  return { forum: forum.alias, encrypted: group.alias }
}
