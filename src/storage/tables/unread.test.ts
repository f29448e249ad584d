import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { openTestStore } from '../testing.js'
import { run, type Store } from '../tx.js'
import { raiseUnread, unreadOf } from './unread.js'

let store: Store
const count = async (user: string): Promise<readonly (readonly [string, number, number])[]> => {
  const rows = await store.read('unread', () => unreadOf(user, [1]))
  return rows.map((row) => [row.thread, row.notify, row.highlight] as const)
}

describe('raising unread counts', () => {
  beforeAll(async () => {
    store = await openTestStore()
    await store.write('members', function* () {
      for (const user of ['@a:b', '@c:b'])
        yield* run(
          `INSERT INTO memberships (room_nid, user_id, membership, sender, pos, server, local, forgotten)
           VALUES (1, ?, 'join', ?, 1, 'b', 1, 0)`,
          user,
          user,
        )
    })
  })
  afterAll(() => store.close())

  it('begins with the first message, for members known and just joining, and adds to what is there', async () => {
    await store.write('raise', () => raiseUnread(1, '', ['@a:b'], 1, 0))
    // @new:b joins in the same transaction as the message: no row of memberships names them yet.
    await store.write('raise', () => raiseUnread(1, '', ['@a:b', '@c:b', '@new:b'], 2, 1))
    expect(await count('@a:b')).toEqual([['', 3, 1]])
    expect(await count('@c:b')).toEqual([['', 2, 1]])
    expect(await count('@new:b')).toEqual([['', 2, 1]])
  })

  it('counts each thread on its own, and only for those named', async () => {
    await store.write('raise', () => raiseUnread(1, '$root', ['@c:b'], 1, 0))
    expect(await count('@c:b')).toEqual([
      ['', 2, 1],
      ['$root', 1, 0],
    ])
    expect(await count('@a:b')).toEqual([['', 3, 1]])
  })
})
