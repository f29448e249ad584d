import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { pendingEdus } from '../../storage/tables/outbox.js'
import { all } from '../../storage/tx.js'
import { startNodes, type TestNode, type TestNodes } from './testing.js'

const ALICE = '@alice:a.example'
const BOB = '@bob:a.example'
const CAROL = '@carol:b.example'
const DAN = '@dan:b.example'

describe('device lists between two positions', () => {
  let nodes: TestNodes
  let node: TestNode
  beforeEach(async () => {
    nodes = await startNodes()
    node = nodes.a
    for (const user of [ALICE, BOB]) await node.setMembership(1, user, 'join')
    await node.setMembership(1, CAROL, 'join')
  })
  afterEach(() => nodes.close())

  /** What ALICE is told of what `acts` did. */
  async function told(...acts: (() => Promise<unknown>)[]): Promise<{ changed: string[]; left: string[] }> {
    const from = await node.position()
    for (const act of acts) await act()
    const to = await node.position()
    const lists = await node.store.read('test', () => node.e2ee.deviceListsBetween(ALICE, from, to))
    return { changed: [...lists.changed].sort(), left: [...lists.left].sort() }
  }
  const member = (room: number, user: string, membership: string) => () =>
    node.setMembership(room, user, membership)
  const change = (user: string) => () => node.e2ee.deviceListChanged(user, ['X'])

  it('names users whose devices changed and who share a room, and the user', async () => {
    expect(await told(change(BOB), change(ALICE), change(DAN))).toEqual({ changed: [ALICE, BOB], left: [] })
  })

  it('is empty where nothing happened, and for a range that goes backwards', async () => {
    expect(await told()).toEqual({ changed: [], left: [] })
    const lists = await node.store.read('test', () => node.e2ee.deviceListsBetween(ALICE, 99, 1))
    expect(lists).toEqual({ changed: [], left: [] })
  })

  it('names who begins to share a room, whoever joined', async () => {
    expect(await told(member(1, DAN, 'join'))).toEqual({ changed: [DAN], left: [] })
    await node.setMembership(2, '@eve:b.example', 'join')
    expect(await told(member(2, ALICE, 'join'))).toEqual({ changed: [ALICE, '@eve:b.example'], left: [] })
  })

  it('names as left who shares no room any more, whoever left', async () => {
    expect(await told(member(1, CAROL, 'leave'))).toEqual({ changed: [], left: [CAROL] })
    expect(await told(member(1, ALICE, 'leave'))).toEqual({ changed: [], left: [BOB] })
  })

  it('names nobody as left while another room is shared', async () => {
    for (const user of [ALICE, CAROL]) await node.setMembership(2, user, 'join')
    expect(await told(member(1, CAROL, 'leave'))).toEqual({ changed: [], left: [] })
    expect(await told(member(2, ALICE, 'leave'))).toEqual({ changed: [], left: [CAROL] })
  })

  it('names who left and came back, for changes in between were not told', async () => {
    expect(await told(member(1, CAROL, 'leave'), member(1, CAROL, 'join'))).toEqual({
      changed: [CAROL],
      left: [],
    })
    expect(await told(member(1, ALICE, 'leave'), member(1, ALICE, 'join'))).toEqual({
      changed: [ALICE, BOB, CAROL],
      left: [],
    })
  })

  it('names those who left in the same time as the user', async () => {
    expect(await told(member(1, CAROL, 'leave'), member(1, ALICE, 'ban'))).toEqual({
      changed: [],
      left: [BOB, CAROL],
    })
    await node.setMembership(1, ALICE, 'join')
    await node.setMembership(1, CAROL, 'join')
    expect(await told(member(1, ALICE, 'leave'), member(1, CAROL, 'leave'))).toEqual({
      changed: [],
      left: [BOB, CAROL],
    })
  })

  it('does not name users for invites, knocks and changes of profile', async () => {
    const acts = [
      member(1, DAN, 'invite'),
      member(1, DAN, 'leave'),
      member(1, CAROL, 'join'),
      member(1, ALICE, 'join'),
    ]
    expect(await told(...acts)).toEqual({ changed: [], left: [] })
  })

  it('tells of what happens after the range in the next one', async () => {
    const from = await node.position()
    await node.setMembership(1, DAN, 'join')
    const middle = await node.position()
    await node.setMembership(1, DAN, 'leave')
    const to = await node.position()
    const between = (x: number, y: number) =>
      node.store.read('test', () => node.e2ee.deviceListsBetween(ALICE, x, y))
    expect(await between(from, middle)).toEqual({ changed: [], left: [] })
    expect(await between(middle, to)).toEqual({ changed: [], left: [DAN] })
  })

  it('finds the same in a long range as in a short one', async () => {
    const from = await node.position()
    await node.setMembership(1, DAN, 'join')
    await node.setMembership(1, CAROL, 'leave')
    const to = await node.position()
    for (const end of [to, to + 100_000]) {
      const lists = await node.store.read('test', () => node.e2ee.deviceListsBetween(ALICE, from, end))
      expect(lists).toEqual({ changed: [DAN], left: [CAROL] })
    }
  })

  it('keeps only the latest changes of a user, and forgets none that a sync still needs', async () => {
    const from = await node.position()
    for (let i = 0; i < 25; i++) await node.e2ee.deviceListChanged(BOB, ['X'])
    expect(await node.e2ee.keysChanges(ALICE, String(from), '999')).toEqual({ changed: [BOB], left: [] })
    const rows = await node.store.read('test', () =>
      all('SELECT pos FROM device_list_changes WHERE user_id = ?', BOB),
    )
    expect(rows).toHaveLength(10)
  })
})

describe('a user who joins a room with other servers', () => {
  let nodes: TestNodes
  beforeEach(async () => {
    nodes = await startNodes()
    for (const node of [nodes.a, nodes.b])
      for (const user of [ALICE, CAROL]) await node.setMembership(1, user, 'join')
  })
  afterEach(() => nodes.close())

  const announce = (): Promise<void> =>
    nodes.a.store.write('test.announce', () => nodes.a.e2ee.onLocalUserJoined(ALICE, ['b.example']))

  it('is announced to them, also where the list has never changed, which is no news to who saw the join', async () => {
    await nodes.a.addDevice(ALICE, 'PHONE')
    await announce()
    const [edu] = await nodes.a.store.read('test', () => pendingEdus('b.example', 10))
    expect(JSON.parse(edu!.content)).toMatchObject({
      user_id: ALICE,
      device_id: 'PHONE',
      stream_id: 0,
      prev_id: [],
    })
    const from = await nodes.b.position()
    await nodes.a.flush()
    expect(await changedFor(CAROL, from)).toEqual([])
    await nodes.a.e2ee.deviceListChanged(ALICE, ['PHONE'])
    await nodes.a.flush()
    expect(await changedFor(CAROL, from)).toEqual([ALICE])
  })

  async function changedFor(viewer: string, from: number): Promise<readonly string[]> {
    const to = await nodes.b.position()
    return [
      ...(await nodes.b.store.read('test', () => nodes.b.e2ee.deviceListsBetween(viewer, from, to))).changed,
    ]
  }
})
