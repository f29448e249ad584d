import { v3 } from './client.mjs'

/** Runs a task for each item, so many at a time. */
export async function each(items, width, task) {
  let next = 0
  const results = []
  const lane = async () => {
    while (next < items.length) {
      const index = next++
      results[index] = await task(items[index], index)
    }
  }
  await Promise.all(Array.from({ length: width }, lane))
  return results
}

const range = (count) => Array.from({ length: count }, (_, index) => index)

export async function registerUsers(client, count, prefix = 'bench') {
  return each(range(count), 8, async (index) => {
    const answer = await client.json('POST', v3('/register'), undefined, {
      username: `${prefix}${index}`,
      password: 'password',
      auth: { type: 'm.login.dummy' },
    })
    return { userId: answer.user_id, token: answer.access_token }
  })
}

/** Public rooms, each made by another user and not yet joined by anybody else. */
export async function createRooms(client, users, count) {
  return each(range(count), 8, async (index) => {
    const room = { index, of: count }
    const owner = memberOf(users, room, 0)
    const answer = await client.json('POST', v3('/createRoom'), owner.token, {
      preset: 'public_chat',
      name: `Room ${index}`,
    })
    return { ...room, roomId: answer.room_id }
  })
}

/** Members are spread evenly: with twice as many users as members and 20 rooms, each user is in 10 of them. */
export function memberOf(users, room, place) {
  const step = Math.max(1, Math.floor(users.length / room.of))
  return users[(room.index * step + place) % users.length]
}

export async function joinMembers(client, users, rooms, members) {
  await each(rooms, 8, async (room) => {
    for (let place = 1; place < members; place++) {
      const { token } = memberOf(users, room, place)
      await client.text('POST', v3(`/join/${encodeURIComponent(room.roomId)}`), token, {})
    }
  })
  return rooms.length * (members - 1)
}

/** One user in many rooms, made by that user. */
export async function userWithRooms(client, count, name = 'collector') {
  const [user] = await registerUsers(client, 1, name)
  await each(range(count), 8, (index) =>
    client.text('POST', v3('/createRoom'), user.token, { preset: 'private_chat', name: `Own ${index}` }),
  )
  return user
}
