import { expect } from '@jest/globals'
import { type Answer, type User } from '../harness/client.js'
import { createRoom, enc, inRoom, refusal, section, sharedRoom } from '../harness/section.js'

const ROUTE = '/_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{eventId}/subscription'
const LIST = '/_matrix/client/unstable/io.element.msc4308/thread_subscriptions'
const SYNC = '/_matrix/client/unstable/org.matrix.simplified_msc3575/sync'
const EXTENSION = 'io.element.msc4308.thread_subscriptions'
const NOT_IN_THREAD = 'IO.ELEMENT.MSC4306.M_NOT_IN_THREAD'
const CONFLICT = 'IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION'
/** No server must have these. */
const ownOnly = { ownOnly: true }
let counter = 0

const at = (roomId: string, root: string): string =>
  ROUTE.replace('{roomId}', enc(roomId)).replace('{eventId}', enc(root))
/** A message; with `root`, in its thread. */
async function say(user: User, roomId: string, root?: string): Promise<string> {
  const relation = root === undefined ? {} : { 'm.relates_to': { rel_type: 'm.thread', event_id: root } }
  const path = inRoom(roomId, `send/m.room.message/thread${Date.now()}-${counter++}`)
  return (await user.ok('PUT', path, { msgtype: 'm.text', body: 'x', ...relation })).event_id
}
const follow = (user: User, roomId: string, root: string, cause?: unknown): Promise<Answer> =>
  user.call('PUT', at(roomId, root), { body: cause === undefined ? {} : { automatic: cause } })
const list = async (user: User): Promise<unknown> => await user.ok('GET', LIST, undefined, { dir: 'b' })
const stamp = expect.any(Number)

/** Whoever may not see a thread is told what they are told of none, and so is everybody of a message that begins none. */
async function refusesUnseen(
  [alice, bob]: readonly [User, User],
  ask: (user: User, roomId: string, root: string) => Promise<Answer>,
): Promise<void> {
  const roomId = await createRoom(alice, { preset: 'private_chat' })
  const root = await say(alice, roomId)
  const reply = await say(alice, roomId, root)
  const refused = await refusal(ask(bob, roomId, root), 404, 'M_NOT_FOUND')
  const none = await refusal(ask(bob, roomId, '$nothing'), 404, 'M_NOT_FOUND')
  expect(refused.body).toEqual(none.body)
  await refusal(ask(bob, '!nothing:localhost', root), 404, 'M_NOT_FOUND')
  await refusal(ask(alice, roomId, '$nothing'), 404, 'M_NOT_FOUND')
  await refusal(ask(alice, roomId, reply), 404, 'M_NOT_FOUND')
}

// Not in the specification: proposals, MSC4306 and MSC4308.
section('Thread subscriptions', 'proposals/', (operation) => {
  operation('putThreadSubscription', `PUT ${ROUTE}`, ({ success, error, authorisation }) => {
    success(
      'follows a thread, for oneself alone',
      async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob])
        const [root, other] = [await say(alice, roomId), await say(alice, roomId)]
        expect(await follow(alice, roomId, root)).toMatchObject({ status: 200, body: {} })
        expect(await alice.ok('GET', at(roomId, root))).toEqual({ automatic: false })
        await refusal(alice.call('GET', at(roomId, other)), 404, 'M_NOT_FOUND')
        await refusal(bob.call('GET', at(roomId, root)), 404, 'M_NOT_FOUND')
        // The connection of another device learns of it, too.
        const extensions = { [EXTENSION]: { enabled: true } }
        const { extensions: told } = await alice.ok('POST', SYNC, { extensions })
        expect(told[EXTENSION]).toEqual({
          subscribed: { [roomId]: { [root]: { automatic: false, bump_stamp: stamp } } },
        })
      },
      ownOnly,
    )
    success(
      'follows it because of an event in it, which does not undo what the user has said',
      async (server) => {
        const alice = await server.user('alice')
        const roomId = await sharedRoom(alice)
        const root = await say(alice, roomId)
        const reply = await say(alice, roomId, root)
        expect(await follow(alice, roomId, root, reply)).toMatchObject({ status: 200, body: {} })
        expect(await alice.ok('GET', at(roomId, root))).toEqual({ automatic: true })
        await follow(alice, roomId, root)
        await follow(alice, roomId, root, reply)
        expect(await alice.ok('GET', at(roomId, root))).toEqual({ automatic: false })
      },
      ownOnly,
    )
    error(
      'refuses events that are not in the thread, and those from before the user ended it',
      async (server) => {
        const alice = await server.user('alice')
        const roomId = await sharedRoom(alice)
        const [root, other] = [await say(alice, roomId), await say(alice, roomId)]
        const before = await say(alice, roomId, root)
        for (const cause of [root, other, '$nothing'])
          await refusal(follow(alice, roomId, root, cause), 400, NOT_IN_THREAD)
        await refusal(follow(alice, roomId, root, 7), 400, 'M_BAD_JSON')
        await refusal(alice.call('GET', at(roomId, root)), 404, 'M_NOT_FOUND')
        await follow(alice, roomId, root, before)
        await alice.ok('DELETE', at(roomId, root))
        await refusal(follow(alice, roomId, root, before), 409, CONFLICT)
        await refusal(alice.call('GET', at(roomId, root)), 404, 'M_NOT_FOUND')
        const after = await say(alice, roomId, root)
        expect((await follow(alice, roomId, root, after)).status).toBe(200)
      },
      ownOnly,
    )
    authorisation(
      'is for threads that one sees',
      async (server) => {
        const users = [await server.user('alice'), await server.user('bob')] as const
        await refusesUnseen(users, (user, roomId, root) => follow(user, roomId, root))
        for (const user of users) expect(await list(user)).toEqual({})
      },
      ownOnly,
    )
  })
  operation('getThreadSubscription', `GET ${ROUTE}`, ({ success, error, authorisation }) => {
    success(
      'says whether a client or the user follows it, to each their own',
      async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob])
        const root = await say(alice, roomId)
        await follow(alice, roomId, root, await say(bob, roomId, root))
        await follow(bob, roomId, root)
        expect(await alice.ok('GET', at(roomId, root))).toEqual({ automatic: true })
        expect(await bob.ok('GET', at(roomId, root))).toEqual({ automatic: false })
      },
      ownOnly,
    )
    error(
      'knows none that one does not follow',
      async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob])
        const root = await say(alice, roomId)
        await follow(alice, roomId, root)
        await refusal(bob.call('GET', at(roomId, root)), 404, 'M_NOT_FOUND')
      },
      ownOnly,
    )
    authorisation(
      'is for threads that one sees',
      async (server) => {
        const users = [await server.user('alice'), await server.user('bob')] as const
        await refusesUnseen(users, (user, roomId, root) => user.call('GET', at(roomId, root)))
      },
      ownOnly,
    )
  })
  operation('deleteThreadSubscription', `DELETE ${ROUTE}`, ({ success, authorisation }) => {
    success(
      'follows it no more, and others do still',
      async (server) => {
        const [alice, bob] = [await server.user('alice'), await server.user('bob')]
        const roomId = await sharedRoom(alice, [bob])
        const [root, other] = [await say(alice, roomId), await say(alice, roomId)]
        for (const user of [alice, bob]) await follow(user, roomId, root)
        await follow(alice, roomId, other)
        // Once more changes nothing.
        for (let time = 0; time < 2; time++) expect(await alice.ok('DELETE', at(roomId, root))).toEqual({})
        await refusal(alice.call('GET', at(roomId, root)), 404, 'M_NOT_FOUND')
        expect(await alice.ok('GET', at(roomId, other))).toEqual({ automatic: false })
        expect(await bob.ok('GET', at(roomId, root))).toEqual({ automatic: false })
      },
      ownOnly,
    )
    authorisation(
      'is for threads that one sees',
      async (server) => {
        const users = [await server.user('alice'), await server.user('bob')] as const
        await refusesUnseen(users, (user, roomId, root) => user.call('DELETE', at(roomId, root)))
      },
      ownOnly,
    )
  })
  operation(
    'getThreadSubscriptions',
    `GET ${LIST}`,
    ({ success, error }) => {
      success(
        'lists those that one follows, the latest first, in pages',
        async (server) => {
          const [alice, bob] = [await server.user('alice'), await server.user('bob')]
          const rooms = [await sharedRoom(alice, [bob]), await sharedRoom(alice)] as const
          const roots = [await say(alice, rooms[0]), await say(alice, rooms[1]), await say(alice, rooms[0])]
          const of = (n: number, automatic = false): object => ({
            [rooms[n % 2]!]: { [roots[n]!]: { automatic, bump_stamp: stamp } },
          })
          await follow(alice, rooms[0], roots[0]!, await say(bob, rooms[0], roots[0]))
          await follow(alice, rooms[1], roots[1]!)
          await follow(alice, rooms[0], roots[2]!)
          await follow(bob, rooms[0], roots[2]!, await say(alice, rooms[0], roots[2]))
          expect(await list(bob)).toEqual({ subscribed: of(2, true) })
          const pages = []
          let from: string | undefined
          for (;;) {
            const page = await alice.ok('GET', LIST, undefined, { dir: 'b', limit: 1, from })
            const { end, ...shown } = page
            pages.push(shown)
            if (end === undefined) break
            from = end
          }
          expect(pages).toEqual([{ subscribed: of(2) }, { subscribed: of(1) }, { subscribed: of(0, true) }])
          const { subscribed: all } = await alice.ok('GET', LIST, undefined, { dir: 'b' })
          const stamps = [all[rooms[0]][roots[0]!], all[rooms[1]][roots[1]!], all[rooms[0]][roots[2]!]].map(
            ({ bump_stamp: position }) => position as number,
          )
          expect(stamps).toEqual([...stamps].sort((a, b) => a - b))
          expect(new Set(stamps).size).toBe(3)
        },
        ownOnly,
      )
      success(
        'lists what has changed since a position of sliding sync, and what one has left since',
        async (server) => {
          const alice = await server.user('alice')
          const roomId = await sharedRoom(alice)
          const [old, left, made] = [
            await say(alice, roomId),
            await say(alice, roomId),
            await say(alice, roomId),
          ]
          await follow(alice, roomId, old)
          await follow(alice, roomId, left)
          const { pos } = await alice.ok('POST', SYNC, {})
          await alice.ok('DELETE', at(roomId, left))
          await follow(alice, roomId, made)
          expect(await alice.ok('GET', LIST, undefined, { dir: 'b', to: pos })).toEqual({
            subscribed: { [roomId]: { [made]: { automatic: false, bump_stamp: stamp } } },
            unsubscribed: { [roomId]: { [left]: { bump_stamp: stamp } } },
          })
          // Who begins anew knows of nothing that was left.
          const { subscribed, ...rest } = (await list(alice)) as { subscribed: Record<string, object> }
          expect(Object.keys(subscribed[roomId]!).sort()).toEqual([made, old].sort())
          expect(rest).toEqual({})
        },
        ownOnly,
      )
      error(
        'wants a direction, and tokens that are some',
        async (server) => {
          const alice = await server.user('alice')
          for (const wrong of [{ dir: 'f' }, { from: 'x' }, { to: 'x' }, { limit: '0' }, { limit: 'x' }])
            await refusal(alice.call('GET', LIST, { query: { dir: 'b', ...wrong } }), 400, 'M_INVALID_PARAM')
          await refusal(alice.call('GET', LIST), 400, 'M_MISSING_PARAM')
        },
        ownOnly,
      )
    },
    { sample: { query: { dir: 'b' } } },
  )
})
