import { expect } from '@jest/globals'
import { createRoom, enc, eventually, register, v3, type User } from '../harness/client.js'
import type { Node } from '../harness/node.js'
import { allMessages, startSender, type Sender } from './load.js'

/** People who talk in the rooms of one node, and a room that somebody of another node is in. */
export interface LoadedRooms {
  readonly users: readonly User[]
  readonly rooms: readonly string[]
  readonly remote: User
  readonly shared: string
}

/** Users go to the rooms in turn; the first ones made them, and the very first made the shared room too. */
export async function makeLoadedRooms(
  node: Node,
  other: Node,
  sizes: { readonly users: number; readonly rooms: number },
): Promise<LoadedRooms> {
  const users = await Promise.all(
    Array.from({ length: sizes.users }, (_, index) => register(node.url, `load${index}`)),
  )
  const remote = await register(other.url, 'remote')
  const rooms = await Promise.all(
    users.slice(0, sizes.rooms).map((user) => createRoom(user, { preset: 'public_chat' })),
  )
  for (const [index, user] of users.slice(sizes.rooms).entries())
    await user.ok('POST', v3(`/join/${enc(rooms[index % sizes.rooms]!)}`))
  const shared = await createRoom(users[0]!, { preset: 'public_chat' })
  await remote.ok('POST', v3(`/join/${enc(shared)}`), {}, { via: node.serverName })
  await eventually('the join is known', async () => {
    const members = await users[0]!.ok('GET', v3(`/rooms/${enc(shared)}/joined_members`))
    return members.joined[remote.userId] !== undefined
  })
  return { users, rooms, remote, shared }
}

export interface Load {
  readonly senders: readonly Sender[]
  /** The one of them that sends to the shared room. */
  readonly toShared: Sender
  /** The events promised so far, and whether each must still wait for the other node: those of the shared room while it is down. */
  answered(otherIsDown: boolean): Map<string, boolean>
  /** Waits until more is promised than was, in the shared room too: a test of a load is one only where the load is real. */
  goesOn(): Promise<void>
}

export function startLoad({ users, rooms, shared }: LoadedRooms): Load {
  const toShared = startSender(users[0]!, shared, 'shared', 20)
  const toRooms = users.map((user, index) =>
    startSender(user, rooms[index % rooms.length]!, `sender ${index}`),
  )
  const senders = [...toRooms, toShared]
  const count = (): number => senders.reduce((sum, sender) => sum + sender.answered.length, 0)
  return {
    senders,
    toShared,
    answered: (otherIsDown) =>
      new Map(
        senders.flatMap((sender) =>
          sender.answered.map(({ eventId }) => [eventId, otherIsDown && sender === toShared] as const),
        ),
      ),
    async goesOn() {
      const [all, there] = [count(), toShared.answered.length]
      await eventually('it answers', () =>
        Promise.resolve(count() > all + 10 && toShared.answered.length > there),
      )
    },
  }
}

/** What was promised is in its room, once and under the id that was promised, also what was sent again. */
export async function expectEachOnce({ users, rooms, shared }: LoadedRooms, load: Load): Promise<void> {
  for (const [index, roomId] of [...rooms, shared].entries()) {
    const there = await allMessages(users[index % rooms.length]!, roomId)
    const idOf = new Map(there.map((message) => [message.body, message.eventId]))
    expect(idOf.size).toBe(there.length)
    const wrong = load.senders
      .flatMap((sender) => sender.answered)
      .filter((kept) => kept.roomId === roomId && idOf.get(kept.body) !== kept.eventId)
    expect(wrong).toEqual([])
  }
}
