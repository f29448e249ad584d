import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createRoom, register, sendText, startSync, v3, type User } from '../harness/client.js'
import { startNode, type Node } from '../harness/node.js'

let node: Node
let alice: User
let bob: User
beforeAll(async () => {
  node = await startNode()
  alice = await register(node.url, 'alice')
  bob = await register(node.url, 'bob')
})
afterAll(() => node.dispose())

const enc = encodeURIComponent
const path = (kind: string, ruleId: string, rest = ''): string =>
  v3(`/pushrules/global/${kind}/${enc(ruleId)}${rest}`)
const NOTIFY = { actions: ['notify'] }

async function status(answer: Promise<{ status: number; body: { errcode?: string } }>): Promise<unknown> {
  const { status: code, body } = await answer
  return code === 200 ? 200 : [code, body.errcode]
}
const ids = async (user: User, kind: string): Promise<string[]> =>
  (await user.ok('GET', v3('/pushrules/'))).global[kind]
    .filter((rule: { default: boolean }) => !rule.default)
    .map((rule: { rule_id: string }) => rule.rule_id)

describe('GET /pushrules', () => {
  it('gives the default rules, with and without the last slash', async () => {
    const all = await alice.ok('GET', v3('/pushrules/'))
    expect(await alice.ok('GET', v3('/pushrules'))).toEqual(all)
    expect(await alice.ok('GET', v3('/pushrules/global/'))).toEqual(all.global)
    expect(await alice.ok('GET', v3('/pushrules/global'))).toEqual(all.global)
    expect(all.global.override[0]).toEqual({
      rule_id: '.m.rule.master',
      default: true,
      enabled: false,
      conditions: [],
      actions: [],
    })
    expect(Object.keys(all.global).sort()).toEqual(['content', 'override', 'room', 'sender', 'underride'])
  })

  it('gives one rule, its state and its actions', async () => {
    expect((await alice.ok('GET', path('underride', '.m.rule.message'))).actions).toEqual(['notify'])
    expect(await alice.ok('GET', path('override', '.m.rule.master', '/enabled'))).toEqual({ enabled: false })
    expect(await alice.ok('GET', path('underride', '.m.rule.message', '/actions'))).toEqual({
      actions: ['notify'],
    })
    for (const rest of ['', '/enabled', '/actions'])
      expect(await status(alice.call('GET', path('override', 'none', rest)))).toEqual([404, 'M_NOT_FOUND'])
    expect(await status(alice.call('GET', path('nokind', '.m.rule.master')))).toEqual([404, 'M_NOT_FOUND'])
  })
})

describe('PUT /pushrules/global/{kind}/{ruleId}', () => {
  it('adds rules as the most important of the user, or where asked', async () => {
    const user = await register(node.url)
    const put = (id: string, query = {}): Promise<unknown> =>
      status(user.call('PUT', path('underride', id), { body: NOTIFY, query }))
    await put('one')
    await put('two')
    expect(await ids(user, 'underride')).toEqual(['two', 'one'])
    await put('three', { after: 'two' })
    await put('four', { before: 'one' })
    expect(await ids(user, 'underride')).toEqual(['two', 'three', 'four', 'one'])
    await put('five', { before: 'two', after: 'one' })
    expect(await ids(user, 'underride')).toEqual(['five', 'two', 'three', 'four', 'one'])
    await put('one', { before: 'five' })
    await put('two')
    expect(await ids(user, 'underride')).toEqual(['one', 'five', 'two', 'three', 'four'])
    expect(await put('six', { before: 'none' })).toEqual([400, 'M_UNKNOWN'])
    expect(await put('six', { after: '.m.rule.message' })).toEqual([400, 'M_UNKNOWN'])
    expect(await put('one', { after: 'one' })).toEqual([400, 'M_UNKNOWN'])
    expect(await ids(user, 'underride')).toEqual(['one', 'five', 'two', 'three', 'four'])
  })

  it('keeps a rule switched off when it is changed, and historical actions as they were set', async () => {
    const user = await register(node.url)
    await user.ok('PUT', path('content', 'word'), { actions: ['notify'], pattern: 'tea' })
    await user.ok('PUT', path('content', 'word', '/enabled'), { enabled: false })
    await user.ok('PUT', path('content', 'word'), { actions: ['dont_notify'], pattern: 'coffee' })
    expect(await user.ok('GET', path('content', 'word'))).toEqual({
      rule_id: 'word',
      default: false,
      enabled: false,
      actions: ['dont_notify'],
      pattern: 'coffee',
    })
  })

  it.each([
    ['an unknown kind', 'nokind', 'x', NOTIFY, 'M_INVALID_PARAM'],
    ['the id of a default rule', 'override', '.m.rule.master', NOTIFY, 'M_INVALID_PARAM'],
    ['an id that begins with a dot', 'override', '.mine', NOTIFY, 'M_INVALID_PARAM'],
    ['an id with a backslash', 'override', 'a\\b', NOTIFY, 'M_INVALID_PARAM'],
    ['an id with a slash', 'override', 'a/b', NOTIFY, 'M_INVALID_PARAM'],
    ['an id that is too long', 'override', 'x'.repeat(256), NOTIFY, 'M_INVALID_PARAM'],
    ['no actions', 'override', 'x', {}, 'M_MISSING_PARAM'],
    ['actions that are none', 'override', 'x', { actions: 'notify' }, 'M_INVALID_PARAM'],
    ['an action that is none', 'override', 'x', { actions: ['explode'] }, 'M_INVALID_PARAM'],
    ['a nameless tweak', 'override', 'x', { actions: [{ value: 1 }] }, 'M_INVALID_PARAM'],
    ['a content rule without pattern', 'content', 'x', NOTIFY, 'M_MISSING_PARAM'],
    ['an empty pattern', 'content', 'x', { ...NOTIFY, pattern: '' }, 'M_INVALID_PARAM'],
    ['a pattern that is no string', 'content', 'x', { ...NOTIFY, pattern: 1 }, 'M_INVALID_PARAM'],
    ['a pattern of 1,025 bytes', 'content', 'x', { ...NOTIFY, pattern: 'é'.repeat(513) }, 'M_INVALID_PARAM'],
    ['a room rule for no room', 'room', 'x', NOTIFY, 'M_INVALID_PARAM'],
    ['a sender rule for no user', 'sender', '!x:y', NOTIFY, 'M_INVALID_PARAM'],
    ['conditions that are none', 'override', 'x', { ...NOTIFY, conditions: {} }, 'M_INVALID_PARAM'],
    ['a condition that is none', 'override', 'x', { ...NOTIFY, conditions: ['x'] }, 'M_INVALID_PARAM'],
    [
      'an event_match without pattern',
      'override',
      'x',
      { ...NOTIFY, conditions: [{ kind: 'event_match', key: 'type' }] },
      'M_INVALID_PARAM',
    ],
    [
      'a member count that is none',
      'override',
      'x',
      { ...NOTIFY, conditions: [{ kind: 'room_member_count', is: '~2' }] },
      'M_INVALID_PARAM',
    ],
    [
      'too many conditions',
      'override',
      'x',
      { ...NOTIFY, conditions: Array(51).fill({ kind: 'unknown' }) },
      'M_INVALID_PARAM',
    ],
  ])('refuses %s', async (_what, kind, ruleId, body, errcode) => {
    expect(await status(alice.call('PUT', path(kind, ruleId), { body }))).toEqual([400, errcode])
    expect(await ids(alice, 'override')).toEqual([])
  })

  it('refuses a rule of a megabyte', async () => {
    const body = { ...NOTIFY, pattern: 'x'.repeat(1_000_000) }
    expect(await status(alice.call('PUT', path('content', 'x'), { body }))).toEqual([413, 'M_TOO_LARGE'])
  })

  it('keeps ids and keys that JavaScript has a meaning for', async () => {
    const user = await register(node.url)
    for (const id of ['__proto__', 'constructor', 'toString']) {
      await user.ok('PUT', path('override', id), {
        ...NOTIFY,
        conditions: [{ kind: 'event_match', key: 'content.__proto__.x', pattern: '*' }],
      })
    }
    expect(await ids(user, 'override')).toEqual(['toString', 'constructor', '__proto__'])
    await user.ok('DELETE', path('override', '__proto__'))
    expect(await ids(user, 'override')).toEqual(['toString', 'constructor'])
  })
})

describe('default rules', () => {
  it('can be switched and given other actions, and cannot be removed', async () => {
    const user = await register(node.url)
    await user.ok('PUT', path('underride', '.m.rule.message', '/actions'), { actions: [] })
    await user.ok('PUT', path('underride', '.m.rule.message', '/enabled'), { enabled: false })
    expect(await user.ok('GET', path('underride', '.m.rule.message'))).toMatchObject({
      enabled: false,
      actions: [],
      default: true,
    })
    expect(await status(user.call('DELETE', path('underride', '.m.rule.message')))).toEqual([
      404,
      'M_NOT_FOUND',
    ])
    expect(
      await status(
        user.call('PUT', path('underride', '.m.rule.none', '/enabled'), { body: { enabled: true } }),
      ),
    ).toEqual([404, 'M_NOT_FOUND'])
    expect(
      await status(user.call('PUT', path('underride', 'none', '/actions'), { body: { actions: [] } })),
    ).toEqual([404, 'M_NOT_FOUND'])
    expect(
      await status(
        user.call('PUT', path('underride', '.m.rule.message', '/actions'), { body: { actions: [7] } }),
      ),
    ).toEqual([400, 'M_INVALID_PARAM'])
  })
})

describe('in /sync', () => {
  it('come with the first answer, and wake a waiting client when they change', async () => {
    const user = await register(node.url)
    const sync = await startSync(user)
    const rulesIn = (answer: { account_data: { events: { type: string; content: unknown }[] } }): unknown =>
      answer.account_data.events.find((event) => event.type === 'm.push_rules')?.content
    expect(rulesIn(sync.first)).toEqual(await user.ok('GET', v3('/pushrules/')))
    const waiting = sync.next(20_000)
    await new Promise((resolve) => setTimeout(resolve, 100))
    await user.ok('PUT', path('sender', bob.userId), { actions: [] })
    expect(rulesIn(await waiting)).toEqual(await user.ok('GET', v3('/pushrules/')))
  })

  it('bear on the counts from the next message on, also after a restart', async () => {
    const roomId = await createRoom(alice, { invite: [bob.userId] })
    await bob.ok('POST', v3(`/join/${enc(roomId)}`))
    const counts = async (): Promise<number[]> => {
      const { rooms } = await bob.ok('GET', v3('/sync'))
      const { notification_count: n, highlight_count: h } = rooms.join[roomId].unread_notifications
      return [n, h]
    }
    await sendText(alice, roomId, 'plain')
    expect(await counts()).toEqual([1, 0])
    await bob.ok('PUT', path('content', 'tea'), {
      actions: ['notify', { set_tweak: 'highlight' }],
      pattern: 'tea',
    })
    await sendText(alice, roomId, 'Tea?')
    expect(await counts()).toEqual([2, 1])
    await sendText(alice, roomId, 'teapot')
    expect(await counts()).toEqual([3, 1])
    await bob.ok('PUT', path('room', roomId), { actions: [] })
    await sendText(alice, roomId, 'silent')
    expect(await counts()).toEqual([3, 1])
    await node.stop()
    await node.start()
    await sendText(alice, roomId, 'silent still')
    await sendText(alice, roomId, 'some TEA')
    expect(await counts()).toEqual([4, 2])
    await bob.ok('PUT', path('override', '.m.rule.master', '/enabled'), { enabled: true })
    await sendText(alice, roomId, 'tea')
    expect(await counts()).toEqual([4, 2])
  })

  it('do not count what ignored users say', async () => {
    const user = await register(node.url)
    const roomId = await createRoom(alice, { invite: [user.userId] })
    await user.ok('POST', v3(`/join/${enc(roomId)}`))
    await user.ok('PUT', v3(`/user/${enc(user.userId)}/account_data/m.ignored_user_list`), {
      ignored_users: { [alice.userId]: {} },
    })
    await sendText(alice, roomId, 'unheard')
    const { rooms } = await user.ok('GET', v3('/sync'))
    expect(rooms.join[roomId].unread_notifications.notification_count).toBe(0)
    const bodies = rooms.join[roomId].timeline.events.map((event: { type: string }) => event.type)
    expect(bodies).not.toContain('m.room.message')
  })
})
