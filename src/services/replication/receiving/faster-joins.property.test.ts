import { afterEach, expect, it } from '@jest/globals'
import { MatrixError } from '../../../core/errors.js'
import { serverNameOf } from '../../../core/ids/server-name-of.js'
import { wholeNumbersFrom } from '../../../platform/testing-numbers.js'
import { untilPasses } from '../../../platform/testing-until.js'
import { all } from '../../../storage/tx.js'
import { addFastNode, holdStates, isPartial, whole } from '../testing/faster-joins.js'
import { addNode, createNetwork, type Network, type TestNode } from '../testing/network.js'

const ACTIONS = 25
const ALICE = '@alice:a.example'
const USERS = ['bob', 'elsie', 'derek'].map((name) => `@${name}:b.example`)
const CAROL = '@carol:c.example'
const DORA = '@dora:d.example'

let network: Network
afterEach(() => network.close())

/** Verdicts of both nodes on what both have placed: where they differ. */
async function differences(one: TestNode, other: TestNode, roomId: string): Promise<readonly string[]> {
  const verdicts = async (node: TestNode): Promise<ReadonlyMap<string, string>> => {
    const { nid } = (await node.context.loader.load(roomId))!
    const rows = await node.store.read('test.verdicts', () =>
      all<{ event_id: string; rejected: string | null }>(
        'SELECT event_id, rejected FROM events WHERE room_nid = ? AND outlier = 0',
        nid,
      ),
    )
    return new Map(rows.map((row) => [row.event_id, row.rejected ?? 'accepted']))
  }
  const [mine, theirs] = [await verdicts(one), await verdicts(other)]
  return [...mine].flatMap(([id, verdict]) => {
    const there = theirs.get(id)
    return there === undefined || there === verdict ? [] : [`${id}: ${verdict} and ${there}`]
  })
}

it.each([1, 2, 3, 4, 5, 6])(
  'what came while the members were unknown is judged as by whoever knew them (seed %i)',
  async (seed) => {
    const below = wholeNumbersFrom(seed)
    const pick = <T>(list: readonly T[]): T => list[below(list.length)]!
    network = createNetwork()
    const a = await addNode(network, 'a.example')
    const b = await addNode(network, 'b.example')
    const c = await addFastNode(network, 'c.example')
    const d = await addNode(network, 'd.example')
    const nodeOf = (userId: string): TestNode => network.nodes.get(serverNameOf(userId)!)!
    const roomId = await a.createRoom(ALICE, { preset: 'public_chat', name: 'Joined fast' })

    async function act(users: readonly string[]): Promise<void> {
      const user = pick(users)
      const target = pick(USERS)
      const node = nodeOf(user)
      const member = (by: string, userId: string, membership: string): Promise<unknown> =>
        nodeOf(by).state(by, roomId, 'm.room.member', userId, { membership })
      const actions: (() => Promise<unknown>)[] = [
        () => node.send(user, roomId, `said ${below(1_000)}`),
        () => node.state(user, roomId, 'm.room.topic', '', { topic: `topic ${below(1_000)}` }),
        // What somebody leaves whose server is then not in the room is not completed.
        () => (user === ALICE || user === CAROL ? Promise.resolve() : member(user, user, 'leave')),
        () => node.join(user, roomId, 'a.example'),
        () => member(pick([ALICE, user]), target, pick(['leave', 'ban', 'leave'])),
        async () => {
          const id = (await a.stateOf(roomId)).get('m.room.power_levels|')!
          const { content } = (await a.context.events.byId(id))!.event
          const levels = { ...(content['users'] as object), [target]: pick([0, 50]) }
          await a.state(ALICE, roomId, 'm.room.power_levels', '', { ...content, users: levels })
        },
        () => network.settle(),
      ]
      try {
        await pick(actions)()
      } catch (error) {
        // What the room does not allow is no action.
        if (!(error instanceof MatrixError)) throw error
      }
    }

    for (const user of USERS) await b.join(user, roomId, 'a.example')
    for (let i = 0; i < ACTIONS / 2; i++) await act([ALICE, ...USERS])
    await network.settle()
    const states = holdStates(network)
    const { fault } = network
    let cut = false
    network.fault = (request, from) =>
      cut && request.destination === 'c.example' && from === 'b.example' ? 'status-500' : fault(request, from)
    await c.join(CAROL, roomId, 'a.example')
    expect(await isPartial(c, roomId)).toBe(true)
    for (let i = 0; i < ACTIONS; i++) {
      cut = below(3) === 0
      await act([ALICE, ...USERS, CAROL])
    }
    cut = false
    states.release()
    for (let i = 0; i < 5; i++) await act([ALICE, ...USERS])
    await whole(c, roomId)
    await network.settle()
    await d.join(DORA, roomId, 'a.example')
    await network.settle()
    // Whose event another one has refused for now names all that it has accepted.
    for (const user of [ALICE, CAROL, DORA, ALICE]) {
      await nodeOf(user).send(user, roomId, 'to join all heads')
      await network.settle()
    }
    await untilPasses(async () => {
      expect(await differences(c, a, roomId)).toEqual([])
      const expected = [...(await a.stateOf(roomId))]
      for (const node of [c, d]) expect([...(await node.stateOf(roomId))]).toEqual(expected)
    })
  },
  120_000,
)
